/** Registry credentials as clients send them. */
import { fields, string } from './decode.js';

export const authSchema = fields({
  username: string.exactOptional(),
  password: string.exactOptional(),
  identitytoken: string.exactOptional(),
  serveraddress: string.exactOptional(),
});
