/**
 * What must be taken away again, last made first, whether the benchmark ends, fails or is interrupted. Invariant: each
 * entry runs once; one that fails does not keep the others from running.
 */
export type Undo = () => Promise<void> | void;

const made: Undo[] = [];
let running: Promise<void> | undefined;
let interrupted = false;

/** True once a signal has come: what fails from now on fails because of that. */
export const isInterrupted = (): boolean => interrupted;

/** Answers a function that runs `undo` now and forgets it. */
export const onEnd = (undo: Undo): (() => Promise<void>) => {
  made.push(undo);
  return async () => {
    const at = made.indexOf(undo);
    if (at < 0) return;
    made.splice(at, 1);
    await undo();
  };
};

const runAll = async (): Promise<void> => {
  for (let undo = made.pop(); undo; undo = made.pop()) {
    try {
      await undo();
    } catch (error) {
      process.stderr.write(`bench: cleaning up: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
};

export const undoAll = (): Promise<void> => {
  running ??= runAll().finally(() => {
    running = undefined;
  });
  return running;
};

/** Ctrl-C and SIGTERM take everything away, then exit with 128 + signal. A second one is patient too. */
export const undoOnSignals = (): void => {
  const end = (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', code: number): void => {
    process.on(signal, () => {
      if (interrupted) return;
      interrupted = true;
      process.stderr.write(`\nbench: ${signal}: taking everything away\n`);
      void undoAll().finally(() => process.exit(code));
    });
  };
  end('SIGHUP', 129);
  end('SIGINT', 130);
  end('SIGTERM', 143);
};
