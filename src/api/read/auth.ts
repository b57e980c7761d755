/** Registry credentials as clients send them. */
import { fields } from '../../go-fields.js';
import { string } from './decode.js';

export const authSchema = fields({
  username: string.exactOptional(),
  password: string.exactOptional(),
  identitytoken: string.exactOptional(),
  serveraddress: string.exactOptional(),
});
