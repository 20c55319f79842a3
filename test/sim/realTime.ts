/**
 * Keeps real time and system randomness out of a simulated run. What measures how long something took is told that it took
 * no time; whoever asks for the date, a timer or a random number is found out.
 */
export class RealTimeLeak extends Error {}

type Restore = () => void;

function replaced<T extends object, K extends keyof T>(target: T, name: K, value: T[K]): Restore {
  const own = Object.getOwnPropertyDescriptor(target, name);
  Object.defineProperty(target, name, { value, configurable: true, writable: true });
  return () => {
    if (own === undefined) Reflect.deleteProperty(target, name);
    else Object.defineProperty(target, name, own);
  };
}

/** Throws RealTimeLeak when code of `folder` used real time or Math.random during the run. */
export async function withoutRealTime<T>(run: () => Promise<T>, folder = '/src/'): Promise<T> {
  const leaks: string[] = [];
  const watched = <A extends unknown[], R>(name: string, real: (...values: A) => R) =>
    function (...values: A): R {
      const stack = new Error(name).stack ?? '';
      if (stack.includes(folder)) leaks.push(stack);
      return real(...values);
    };
  const restore = [
    replaced(performance, 'now', () => 0),
    replaced(Date, 'now', watched('Date.now', Date.now.bind(Date))),
    replaced(Math, 'random', watched('Math.random', Math.random.bind(Math))),
    replaced(globalThis, 'setTimeout', watched('setTimeout', setTimeout) as typeof setTimeout), // only called, never promisified
  ];
  try {
    const result = await run();
    if (leaks.length > 0) throw new RealTimeLeak(`real time was used in a simulated run: ${leaks.join('\n')}`);
    return result;
  } finally {
    for (const each of restore) each();
  }
}
