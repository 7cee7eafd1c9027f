/**
 * The drawing loop: a frame when something changed, and the next while something moves. On a machine that draws slowly
 * bins come first: frames then rest for what they cost.
 */

const FRAME_MS = 17;
/** A frame that costs less leaves enough of its time to the stream. */
const LIGHT_MS = 8;
/** Heavier ones rest for this many times their cost, up to a limit. */
const FRAME_COSTS = 1.5;
const MAX_REST_MS = 250;
/** What drifts, such as the range of the colours, is drawn this often where nothing else asks for a frame. */
const DRIFT_MS = 150;
const KEPT = 600;

/** What moves by itself after a frame: nothing, slowly enough for a few frames a second, or visibly. */
export type Motion = "still" | "drifting" | "moving";

/** Rest after a frame that cost `cost` ms, at least `least` ms. */
export function restAfter(cost: number, least: number): number {
  return Math.max(least, cost > LIGHT_MS ? Math.min(MAX_REST_MS, FRAME_COSTS * cost) : 0);
}

function keep(costs: number[], ms: number): void {
  costs.push(ms);
  if (costs.length > KEPT) costs.shift();
}

export class Frames {
  readonly #render: (now: number) => Motion;
  readonly #scripts: number[] = [];
  readonly #wholes: number[] = [];
  /** Least rest between frames, ms: while many bins are fetched at once, drawing each would only hold them up. */
  restMs = 0;
  /** Frames drawn so far. */
  drawn = 0;
  /** What moved after the latest frame. */
  motion: Motion = "still";
  #waiting = false;
  #next = 0;
  #drift = 0;

  /** `render` draws a frame and says what still moves by itself. */
  constructor(render: (now: number) => Motion) {
    this.#render = render;
  }

  /** Of the latest frames milliseconds of script, and until each was handed over to be shown. */
  costs(): { script: number[]; whole: number[] } {
    return { script: [...this.#scripts], whole: [...this.#wholes] };
  }

  /** Nothing waits to be drawn and nothing moves. */
  get settled(): boolean {
    return !this.#waiting && this.motion === "still";
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
      window.clearTimeout(this.#drift);
      this.motion = this.#render(now);
      this.drawn += 1;
      keep(this.#scripts, performance.now() - start);
      // The next task runs once the frame is handed over, which without a graphics card takes longer than drawing.
      window.setTimeout(() => {
        const cost = performance.now() - start;
        keep(this.#wholes, cost);
        this.#next = performance.now() + restAfter(cost, this.restMs);
      });
      if (this.motion === "moving") this.wake();
      else if (this.motion === "drifting") this.#drift = window.setTimeout(() => this.wake(), DRIFT_MS);
    });
  }
}
