/** IPAM drivers of our own, against those of plugins: addresses from this daemon's pools, and none at all. */
const OWN: readonly string[] = ['', 'default', 'null'];

export const isOwnIpam = (driver: string): boolean => OWN.includes(driver);
