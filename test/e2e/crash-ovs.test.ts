/** The daemon is killed between steps of all that it does for a network on Open vSwitch, an uplink's and a limited port's included. */
import { crashTests } from '../support/crash.js';
import { networkCommands, remove, start } from '../support/crash-scenarios.js';
import { ovsDaemonForThisFile } from '../support/ovs-daemon.js';

const { d, ovs } = ovsDaemonForThisFile();

/** All that a network and its container have in Open vSwitch; flows go with their bridge. */
const held = async (): Promise<readonly string[]> => {
  const tables = ['Bridge', 'Port', 'Interface', 'QoS', 'Queue'];
  const rows = await Promise.all(
    tables.map((table) => ovs().vsctl('--format=list', '--columns=_uuid', 'list', table)),
  );
  return tables.flatMap((table, i) => (rows[i] === '' ? [] : [`${table}: ${rows[i]}`]));
};

const options = ['-o', 'egress_rate=100000', '-o', 'ingress_rate=100000', '-o', 'acl=deny out tcp any 25'];
const network = ['network', 'create', '-d', 'ovs', '--ipv6', '--subnet', '10.77.0.0/24', ...options, 'net'];
const { killedAtEachStep } = crashTests(d, { network, held, ids: 'O3 D10' });

killedAtEachStep(networkCommands(network), 5);
killedAtEachStep([start(network), remove(network)], 7);
