/**
 * What the projections have been worth so far: each projected score is held against the score of the same tick when
 * its time has come. Skill is 1 − Σ(projected − came)² / Σ came², so 0 is as good as always guessing 0 and below 0 is
 * worse; the same measure as `vp analyze`. Pairs with nothing projected and nothing scored are left out.
 */

interface Past {
  spotTick: number;
  score: Float32Array;
  projections: readonly Float32Array[];
}

export interface Skill {
  /** Cells compared. */
  n: number;
  /** NaN until something was compared. */
  skill: number;
}

export class ProjectionSkill {
  readonly #horizons: readonly number[];
  readonly #error: Float64Array;
  readonly #zero: Float64Array;
  readonly #n: Float64Array;
  readonly #past: Past[] = [];
  readonly #longest: number;
  #last = -1;

  /** `horizonsBins`: how many bins ahead each projection looks. */
  constructor(horizonsBins: readonly number[]) {
    this.#horizons = horizonsBins;
    this.#longest = Math.max(0, ...horizonsBins);
    this.#error = new Float64Array(horizonsBins.length);
    this.#zero = new Float64Array(horizonsBins.length);
    this.#n = new Float64Array(horizonsBins.length);
  }

  /** A bin with a valid book; the arrays are kept for a few bins. `broken`: bins were missed in front of it. */
  add(seq: number, spotTick: number, score: Float32Array, projections: readonly Float32Array[], broken: boolean): void {
    if (broken || seq <= this.#last) this.#past.length = 0;
    this.#last = seq;
    this.#horizons.forEach((ahead, i) => {
      const then = this.#past[this.#past.length - ahead];
      if (then) this.#compare(i, then, spotTick, score);
    });
    this.#past.push({ spotTick, score, projections });
    if (this.#past.length > this.#longest) this.#past.shift();
  }

  #compare(i: number, then: Past, spotTick: number, score: Float32Array): void {
    const projected = then.projections[i];
    if (!projected) return;
    const shift = then.spotTick - spotTick;
    const to = Math.min(projected.length, score.length - shift);
    let error = 0;
    let zero = 0;
    let n = 0;
    for (let row = Math.max(0, -shift); row < to; row += 1) {
      const p = projected[row];
      if (p === 0 && then.score[row] === 0) continue;
      const came = score[row + shift];
      error += (p - came) ** 2;
      zero += came ** 2;
      n += 1;
    }
    this.#error[i] += error;
    this.#zero[i] += zero;
    this.#n[i] += n;
  }

  /** By horizon. */
  get horizons(): Skill[] {
    return this.#horizons.map((_, i) => ({
      n: this.#n[i],
      skill: this.#zero[i] > 0 ? 1 - this.#error[i] / this.#zero[i] : Number.NaN,
    }));
  }

  /** Of all horizons together. */
  get overall(): Skill {
    const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
    const zero = sum(this.#zero);
    return { n: sum(this.#n), skill: zero > 0 ? 1 - sum(this.#error) / zero : Number.NaN };
  }
}
