/** From values to palette positions: percentile ranges, linear or asinh, eased so that colours do not jump. */

export interface Scale {
  /** -hi..hi around zero (true) or lo..hi (false). */
  diverging: boolean;
  log: boolean;
  /** Knee of asinh(x/x0), in the field's unit. */
  x0: number;
  lo: number;
  hi: number;
}

const warp = (x: number, scale: Scale): number => (scale.log ? Math.asinh(x / scale.x0) : x);
const unwarp = (y: number, scale: Scale): number => (scale.log ? scale.x0 * Math.sinh(y) : y);

/** Palette position in 0..1, clipped. Zero of a diverging scale is 0.5. */
export function position(value: number, scale: Scale): number {
  const top = warp(scale.hi, scale);
  const bottom = scale.diverging ? -top : warp(scale.lo, scale);
  const t = (warp(value, scale) - bottom) / (top - bottom || 1);
  return Math.min(1, Math.max(0, t));
}

/** Value at a palette position: the inverse of `position`. */
export function valueAt(t: number, scale: Scale): number {
  const top = warp(scale.hi, scale);
  const bottom = scale.diverging ? -top : warp(scale.lo, scale);
  return unwarp(bottom + t * (top - bottom), scale);
}

/** The q-quantile (0..1, nearest rank) of the first `n` samples. Reorders them. NaN when there is none. */
export function quantile(samples: Float32Array, n: number, q: number): number {
  if (n <= 0) return Number.NaN;
  const rank = Math.min(n - 1, Math.max(0, Math.ceil(q * n) - 1));
  let left = 0;
  let right = n - 1;
  while (left < right) {
    const pivot = samples[(left + right) >> 1];
    let i = left;
    let j = right;
    while (i <= j) {
      while (samples[i] < pivot) i += 1;
      while (samples[j] > pivot) j -= 1;
      if (i <= j) {
        const held = samples[i];
        samples[i] = samples[j];
        samples[j] = held;
        i += 1;
        j -= 1;
      }
    }
    if (rank <= j) right = j;
    else if (rank >= i) left = i;
    else break;
  }
  return samples[rank];
}

export interface Clip {
  diverging: boolean;
  /** Quantiles of the two ends; a diverging clip uses `hi` of |value| on both sides. */
  lo: number;
  hi: number;
}

/** Range of the samples under a clip; falls back to 0..1 when they say nothing. */
export function rangeOf(samples: Float32Array, n: number, clip: Clip): { lo: number; hi: number } {
  if (clip.diverging) for (let i = 0; i < n; i += 1) samples[i] = Math.abs(samples[i]);
  let hi = quantile(samples, n, clip.hi);
  if (!(hi > 0)) hi = quantile(samples, n, 1);
  if (!(hi > 0)) return { lo: clip.diverging ? -1 : 0, hi: 1 };
  if (clip.diverging) return { lo: -hi, hi };
  const lo = clip.lo > 0 ? quantile(samples, n, clip.lo) : 0;
  return { lo: lo < hi ? lo : 0, hi };
}

const EASE_MS = 300;

/** A range that glides to its target within about a second; the first target is taken at once. */
export class EasedRange {
  lo = 0;
  hi = 1;
  #lo = 0;
  #hi = 1;
  #set = false;

  /** Forget the past: the next target is taken at once. */
  reset(): void {
    this.#set = false;
  }

  aim(range: { lo: number; hi: number }): void {
    this.#lo = range.lo;
    this.#hi = range.hi;
    if (this.#set) return;
    this.lo = range.lo;
    this.hi = range.hi;
    this.#set = true;
  }

  /** Move for dt milliseconds; true while still moving. */
  step(dtMs: number): boolean {
    const near = Math.abs(this.#hi - this.hi) + Math.abs(this.#lo - this.lo) <= 1e-3 * Math.abs(this.#hi);
    if (near) {
      if (this.hi === this.#hi && this.lo === this.#lo) return false;
      this.lo = this.#lo;
      this.hi = this.#hi;
      return true;
    }
    const f = 1 - Math.exp(-dtMs / EASE_MS);
    this.lo += (this.#lo - this.lo) * f;
    this.hi += (this.#hi - this.hi) * f;
    return true;
  }
}
