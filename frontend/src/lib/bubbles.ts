/** Trades as bubbles: fills of one side at one price within 300 ms are one bubble. */

export type Side = 1 | -1 | 0;

export interface Fill {
  tick: number;
  /** +1 bought (a buyer took), -1 sold, 0 unsided (an auction). */
  side: Side;
  lots: number;
}

export interface Bubble extends Fill {
  /** Bin of its first and last fill. */
  seq: number;
  lastSeq: number;
}

export const MERGE_MS = 300;
export const MIN_LOTS = 3;
const STEPS = [MIN_LOTS, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 1000, 2000, 5000];

/** Radius in pixels: area grows with lots. */
export function bubbleRadius(lots: number): number {
  return 1.9 * Math.sqrt(lots);
}

/**
 * Fills of one bin with their aggressor's side. `fillSize` counts resting contracts by row k = -R..+R, the volumes say
 * how many of them were bought and sold. Buyers take from above and sellers from below, so the highest fills are
 * bought until the bought volume is used up, the next ones sold; what is left over had no aggressor (an auction).
 */
export function sidedFills(fillSize: ArrayLike<number>, spotTick: number, buyVolume: number, sellVolume: number): Fill[] {
  const fills: Fill[] = [];
  const radius = (fillSize.length - 1) / 2;
  const left = { bought: buyVolume, sold: sellVolume };
  for (let row = fillSize.length - 1; row >= 0; row -= 1) {
    let lots = fillSize[row];
    if (!(lots > 0)) continue;
    const tick = spotTick + row - radius;
    for (const [key, side] of [["bought", 1], ["sold", -1]] as const) {
      const taken = Math.min(lots, left[key]);
      if (taken <= 0) continue;
      fills.push({ tick, side, lots: taken });
      left[key] -= taken;
      lots -= taken;
    }
    if (lots > 0) fills.push({ tick, side: 0, lots });
  }
  return fills;
}

export class BubbleBook {
  readonly #mergeBins: number;
  #bubbles: Bubble[] = [];

  constructor(binMs: number) {
    this.#mergeBins = Math.max(0, Math.floor(MERGE_MS / binMs));
  }

  get size(): number {
    return this.#bubbles.length;
  }

  /** Add the fills of bin `seq`; after a seek backwards, later bubbles are forgotten. */
  add(seq: number, fills: readonly Fill[]): void {
    const tail = this.#bubbles.at(-1);
    if (tail && tail.lastSeq >= seq) this.#bubbles = this.#bubbles.filter((bubble) => bubble.lastSeq < seq);
    for (const fill of fills) {
      const open = this.#open(seq, fill);
      if (open) {
        open.lots += fill.lots;
        open.lastSeq = seq;
      } else this.#bubbles.push({ ...fill, seq, lastSeq: seq });
    }
  }

  #open(seq: number, fill: Fill): Bubble | undefined {
    for (let i = this.#bubbles.length - 1; i >= 0; i -= 1) {
      const bubble = this.#bubbles[i];
      if (seq - bubble.seq > this.#mergeBins) return undefined;
      if (bubble.tick === fill.tick && bubble.side === fill.side) return bubble;
    }
    return undefined;
  }

  /** Forget bubbles older than `seq`. */
  prune(seq: number): void {
    if (this.#bubbles.length > 0 && this.#bubbles[0].lastSeq < seq) {
      this.#bubbles = this.#bubbles.filter((bubble) => bubble.lastSeq >= seq);
    }
  }

  /**
   * Bubbles within [from, to], large ones first, so that small ones are drawn on top. In a busy market only the larger
   * ones are kept: `least` is the smallest of STEPS that leaves at most `most` of them.
   */
  visible(from: number, to: number, most = Number.POSITIVE_INFINITY): { least: number; bubbles: Bubble[] } {
    const seen = this.#bubbles
      .filter((bubble) => bubble.lots >= MIN_LOTS && bubble.lastSeq >= from && bubble.seq <= to)
      .sort((a, b) => b.lots - a.lots);
    const least = STEPS.find((step) => !(seen.length > most) || seen[most].lots < step) ?? STEPS[STEPS.length - 1];
    return { least, bubbles: seen.filter((bubble) => bubble.lots >= least) };
  }
}
