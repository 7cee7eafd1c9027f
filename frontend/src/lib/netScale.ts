/** Scale of the interval column: net pnl of a trade in ticks, with 0 always in sight. */

import type { RunRow } from "../wire.generated";

export interface NetScale {
  low: number;
  high: number;
}

type Judged = Pick<RunRow, "net_mean_low_ticks" | "net_mean_high_ticks">;

/** Share of interval ends on each side that may fall off the scale: the widest are of the fewest trades. */
const OFF = 0.04;
/** Least width in ticks, and room on each side as a share of the width. */
const LEAST_WIDTH = 1;
const ROOM = 0.05;

export function netScale(rows: readonly Judged[]): NetScale {
  const ends = (values: (number | null)[]): number[] => values.filter((value): value is number => value !== null).sort((a, b) => a - b);
  const lows = ends(rows.map((row) => row.net_mean_low_ticks));
  const highs = ends(rows.map((row) => row.net_mean_high_ticks));
  if (lows.length === 0 || highs.length === 0) return { low: -LEAST_WIDTH / 2, high: LEAST_WIDTH / 2 };
  let low = Math.min(0, lows[Math.floor(OFF * lows.length)]);
  let high = Math.max(0, highs[Math.ceil((1 - OFF) * highs.length) - 1]);
  const lack = LEAST_WIDTH - (high - low);
  if (lack > 0) [low, high] = [low - lack / 2, high + lack / 2];
  const room = ROOM * (high - low);
  return { low: low - room, high: high + room };
}

/** Room of a label, CSS pixels; that of 0 is a little wider. */
const LABEL_PX = 30;

/** Round levels to label on a scale this wide, none under the label of 0. */
export function netMarks(scale: NetScale, widthPx: number): number[] {
  const perTick = widthPx / (scale.high - scale.low);
  const steps = [0.1, 0.2, 0.5].flatMap((step) => [step, 10 * step, 100 * step, 1000 * step]).sort((a, b) => a - b);
  const step = steps.find((size) => size * perTick >= LABEL_PX) ?? scale.high - scale.low;
  const marks: number[] = [];
  for (let i = Math.ceil(scale.low / step); i * step <= scale.high; i += 1) {
    if (i !== 0 && Math.abs(i * step) * perTick >= 0.9 * LABEL_PX) marks.push(i * step);
  }
  return marks;
}

/** Position of a net pnl on the scale in percent, held inside it. */
export function place(net: number, scale: NetScale): number {
  return Math.min(100, Math.max(0, ((net - scale.low) / (scale.high - scale.low)) * 100));
}
