/** How the stream does: bins per second over the last two seconds, lag behind the best delivery seen, bins dropped. */

const WINDOW_MS = 2000;
const LAG_EASE = 0.15;

/**
 * First of the latest bins in a row without a record of the market, -1 where bin `seq` has some. `before` is the same for
 * the bin before it; after a jump (`unbroken` false) nothing is known of what lies between.
 */
export function quietSince(before: number, seq: number, records: number, unbroken: boolean): number {
  if (records > 0) return -1;
  return before >= 0 && unbroken ? before : seq;
}

export class StreamHealth {
  dropped = 0;
  received = 0;
  /** Local time of the latest bin, ms; NaN before the first. */
  arrivedAt = Number.NaN;
  #arrivals: number[] = [];
  #base = Number.NaN;
  #lag = 0;
  #speed = 1;

  /** A new pace, a pause or a seek: earlier arrivals no longer say how late one is. */
  restart(speed: number): void {
    this.#speed = speed;
    this.#base = Number.NaN;
    this.#lag = 0;
    this.#arrivals = [];
  }

  /** A bin that ended at `binMs` (market time) arrived at `nowMs` (local time). */
  arrived(binMs: number, nowMs: number, dropped: number): void {
    this.received += 1;
    this.arrivedAt = nowMs;
    this.dropped += dropped;
    this.#arrivals.push(nowMs);
    if (this.#arrivals.length > 4096) this.#arrivals = this.#arrivals.slice(-2048);
    if (this.#speed <= 0) return;
    const offset = nowMs - binMs / this.#speed;
    if (!(offset >= this.#base)) this.#base = offset;
    this.#lag += (offset - this.#base - this.#lag) * LAG_EASE;
  }

  /** Whether the rate still moves: bins came within its window, or just before it. */
  stirs(nowMs: number): boolean {
    return nowMs - this.arrivedAt < 2 * WINDOW_MS;
  }

  /** Bins per second. */
  rate(nowMs: number): number {
    const from = nowMs - WINDOW_MS;
    let first = this.#arrivals.findIndex((t) => t >= from);
    if (first < 0) first = this.#arrivals.length;
    if (first > 0) this.#arrivals.splice(0, first);
    if (this.#arrivals.length < 2) return this.#arrivals.length / (WINDOW_MS / 1000);
    return (this.#arrivals.length - 1) / Math.max(0.001, (nowMs - this.#arrivals[0]) / 1000);
  }

  /** Milliseconds behind the best delivery since the last restart; NaN at full speed, where time has no pace. */
  get lagMs(): number {
    return this.#speed > 0 ? this.#lag : Number.NaN;
  }
}
