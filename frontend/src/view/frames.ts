/**
 * The drawing loop: a frame when something changed, and the next while something moves. On a machine that cannot draw
 * every frame bins come first: frames then rest for what they cost.
 */

const FRAME_MS = 17;
/** Frames rest for this many times their cost, up to a limit. */
const FRAME_COSTS = 1.5;
const MAX_REST_MS = 250;
const KEPT = 600;

export class Frames {
  readonly #render: (now: number) => boolean;
  readonly #costs: number[] = [];
  /** Least rest between frames, ms: while many bins are fetched at once, drawing each would only hold them up. */
  restMs = 0;
  #waiting = false;
  #next = 0;

  /** `render` draws a frame and says whether something still moves by itself. */
  constructor(render: (now: number) => boolean) {
    this.#render = render;
  }

  /** Milliseconds of script of the latest frames. */
  costs(): number[] {
    return [...this.#costs];
  }

  /** Draw soon. */
  wake(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    const rest = this.#next - performance.now();
    if (rest > FRAME_MS / 2) window.setTimeout(() => this.#request(), rest);
    else this.#request();
  }

  #request(): void {
    requestAnimationFrame((now) => {
      const start = performance.now();
      this.#waiting = false;
      const moving = this.#render(now);
      this.#costs.push(performance.now() - start);
      if (this.#costs.length > KEPT) this.#costs.shift();
      // The next task runs once the frame is handed over, which without a graphics card takes longer than drawing.
      window.setTimeout(() => {
        const cost = performance.now() - start;
        this.#next = performance.now() + Math.max(this.restMs, cost > FRAME_MS ? Math.min(MAX_REST_MS, FRAME_COSTS * cost) : 0);
      });
      if (moving) this.wake();
    });
  }
}
