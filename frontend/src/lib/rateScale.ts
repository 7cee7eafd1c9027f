/** Scale of the interval column: the hit rate itself while all rows break even at the same rate, else its distance from
 * break-even, so that rows of different barriers can be compared. */

import type { RunRow } from "../wire.generated";

export interface RateScale {
  low: number;
  high: number;
  /** Rate all rows break even at; null when the scale is the distance from break-even. */
  breakEven: number | null;
}

/** Share of interval ends on each side that may fall off the scale: the widest are of the fewest trades. */
const OFF = 0.04;
const LEAST_WIDTH = 0.3;

type Rated = Pick<RunRow, "tp_rate_low" | "tp_rate_high" | "break_even_rate">;

/** Where the scale's zero lies for a row. */
export function origin(row: Rated, scale: RateScale): number {
  return scale.breakEven === null ? row.break_even_rate : 0;
}

export function rateScale(rows: readonly Rated[]): RateScale {
  const levels = new Set(rows.map((row) => row.break_even_rate.toFixed(4)));
  const breakEven = levels.size === 1 ? rows[0].break_even_rate : null;
  const relative = (row: Rated, rate: number): number => rate - (breakEven === null ? row.break_even_rate : 0);
  const lows = rows.filter((row) => row.tp_rate_low !== null).map((row) => relative(row, row.tp_rate_low as number)).sort((a, b) => a - b);
  const highs = rows.filter((row) => row.tp_rate_high !== null).map((row) => relative(row, row.tp_rate_high as number)).sort((a, b) => a - b);
  const rest = breakEven ?? 0;
  if (lows.length === 0) return { low: rest - LEAST_WIDTH / 2, high: rest + LEAST_WIDTH / 2, breakEven };
  let low = Math.min(rest, lows[Math.floor(OFF * lows.length)]);
  let high = Math.max(rest, highs[Math.ceil((1 - OFF) * highs.length) - 1]);
  const lack = LEAST_WIDTH - (high - low);
  if (lack > 0) [low, high] = [low - lack / 2, high + lack / 2];
  return { low: low - 0.02, high: high + 0.02, breakEven };
}

const STEPS = [0.05, 0.1, 0.2, 0.25, 0.5];
/** Room of a label, CSS pixels; break-even has its own, a little wider. */
const LABEL_PX = 30;

/** Round rates to label on a scale this wide, none under the label of break-even. */
export function rateMarks(scale: RateScale, widthPx: number): number[] {
  const perRate = widthPx / (scale.high - scale.low);
  const step = STEPS.find((size) => size * perRate >= LABEL_PX) ?? 1;
  const rest = scale.breakEven ?? 0;
  const marks: number[] = [];
  for (let i = Math.ceil(scale.low / step); i * step <= scale.high; i += 1) {
    if (Math.abs(i * step - rest) * perRate >= 1.1 * LABEL_PX) marks.push(i * step);
  }
  return marks;
}

/** Position of a rate on the scale in percent, held inside it. */
export function place(rate: number, scale: RateScale): number {
  return Math.min(100, Math.max(0, ((rate - scale.low) / (scale.high - scale.low)) * 100));
}
