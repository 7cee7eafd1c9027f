/** Reconnect delays: 1, 2, 4, 8 s and 8 s ever after; the third failure in a row is worth an error card. */

const STEPS_MS = [1000, 2000, 4000, 8000];
const CARD_AFTER = 3;

export class Backoff {
  #failures = 0;

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** True once retrying quietly is no longer honest. */
  get exhausted(): boolean {
    return this.#failures >= CARD_AFTER;
  }

  /** Count a failure; milliseconds to wait before the next try. */
  fail(): number {
    const delay = STEPS_MS[Math.min(this.#failures, STEPS_MS.length - 1)];
    this.#failures += 1;
    return delay;
  }

  succeed(): void {
    this.#failures = 0;
  }
}
