/**
 * What the projections have been worth so far: each projected score is held against the score of the same tick when
 * its time has come. Skill is 1 − Σ(projected − came)² / Σ came², so 0 is as good as always guessing 0 and below 0 is
 * worse; the same measure as `vp analyze`. Pairs with nothing projected and nothing scored are left out.
 *
 * Neighbouring bins see the same market, so the interval is that of a ratio over blocks of bins (delta method, Cochran,
 * Sampling Techniques, 1977, section 6.3), not over cells.
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

export interface SkillInterval extends Skill {
  /** Bins compared. */
  bins: number;
  /** Ends of the 95 % interval, NaN before there are enough bins. */
  low: number;
  high: number;
}

/** Bins before anything is said about the skill. */
export const ENOUGH_BINS = 600;
/** Bins of a block: longer than the scores remember. */
const BLOCK_BINS = 60;

/** Sums over whole blocks of squared errors E and squares of what came Z. */
interface Blocks {
  n: number;
  e: number;
  z: number;
  ee: number;
  ez: number;
  zz: number;
}

/** Two-sided 95 % quantile of Student's t, within 0.01 from 5 degrees of freedom on. */
export function tQuantile(freedom: number): number {
  return 1.96 + 2.37 / freedom + 3.2 / freedom ** 2;
}

/** Half the width of the 95 % interval of E/Z. */
function halfWidth({ n, e, z, ee, ez, zz }: Blocks): number {
  if (n < 3 || z <= 0) return Number.NaN;
  const ratio = e / z;
  const variance = (n / (n - 1)) * Math.max(0, ee - 2 * ratio * ez + ratio * ratio * zz);
  return (tQuantile(n - 1) * Math.sqrt(variance)) / z;
}

export class ProjectionSkill {
  readonly #horizons: readonly number[];
  readonly #error: Float64Array;
  readonly #zero: Float64Array;
  readonly #n: Float64Array;
  readonly #past: Past[] = [];
  readonly #longest: number;
  readonly #blocks: Blocks = { n: 0, e: 0, z: 0, ee: 0, ez: 0, zz: 0 };
  /** The block under way. */
  #block = { bins: 0, e: 0, z: 0 };
  #bins = 0;
  #last = -1;
  /** 1 for every bin that was compared: one that is replayed again counts once. */
  #seen = new Uint8Array(4096);

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
    if (this.#seen[seq] !== 1) {
      let compared = 0;
      this.#horizons.forEach((ahead, i) => {
        const then = this.#past[this.#past.length - ahead];
        if (then) compared += this.#compare(i, then, spotTick, score);
      });
      if (compared > 0) this.#close(seq);
    }
    this.#past.push({ spotTick, score, projections });
    if (this.#past.length > this.#longest) this.#past.shift();
  }

  /** Cells compared. */
  #compare(i: number, then: Past, spotTick: number, score: Float32Array): number {
    const projected = then.projections[i];
    if (!projected) return 0;
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
    this.#block.e += error;
    this.#block.z += zero;
    return n;
  }

  /** A bin was compared; the last of a block closes it. */
  #close(seq: number): void {
    if (seq >= this.#seen.length) {
      const wider = new Uint8Array(2 * seq);
      wider.set(this.#seen);
      this.#seen = wider;
    }
    this.#seen[seq] = 1;
    this.#bins += 1;
    this.#block.bins += 1;
    if (this.#block.bins < BLOCK_BINS) return;
    const { e, z } = this.#block;
    const sums = this.#blocks;
    sums.n += 1;
    sums.e += e;
    sums.z += z;
    sums.ee += e * e;
    sums.ez += e * z;
    sums.zz += z * z;
    this.#block = { bins: 0, e: 0, z: 0 };
  }

  /** By horizon. */
  get horizons(): Skill[] {
    return this.#horizons.map((_, i) => ({
      n: this.#n[i],
      skill: this.#zero[i] > 0 ? 1 - this.#error[i] / this.#zero[i] : Number.NaN,
    }));
  }

  /** Of all horizons together. */
  get overall(): SkillInterval {
    const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
    const zero = sum(this.#zero);
    const skill = zero > 0 ? 1 - sum(this.#error) / zero : Number.NaN;
    const half = this.#bins >= ENOUGH_BINS ? halfWidth(this.#blocks) : Number.NaN;
    return { n: sum(this.#n), bins: this.#bins, skill, low: skill - half, high: skill + half };
  }
}
