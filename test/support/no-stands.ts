/**
 * A test during which a daemon's event loop stood too long has failed, whatever else it saw. What happens before the first
 * test counts for that one.
 */
import { afterAll, afterEach } from 'vitest';
import { freshStands } from './stands.js';

const check = (): void => {
  const text = freshStands();
  if (text !== '') throw new Error(text);
};

afterEach(check);
afterAll(check);
