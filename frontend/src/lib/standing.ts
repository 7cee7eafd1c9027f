/** What a set of rows is worth as a whole. Corrections belong to a sweep: rows of several are told of sweep by sweep. */

import type { RunRow } from "../wire.generated";
import { clears } from "./runs";

export const ALPHA = 0.05;
/** Share of intervals that lie above 0 without any edge: the upper tail of 95 %. */
const BY_CHANCE = 0.025;

export interface Standing {
  sweeps: number;
  /** Trials that the correction counted: the most of any sweep among the rows. */
  trials: number;
  judged: number;
  significant: number;
  bestHolm: number | null;
  bestDeflated: number | null;
  /** Lowest SPA p of the sweeps, and the experiment it is of. */
  spa: number | null;
  spaOf: string;
  /** Rows whose interval lies above 0 before correction, and how many would by chance. */
  clearing: number;
  clearingByChance: number;
}

export function standing(rows: readonly RunRow[]): Standing {
  const known = (values: (number | null)[]): number[] => values.filter((value): value is number => value !== null);
  const least = (values: number[]): number | null => (values.length > 0 ? Math.min(...values) : null);
  const holm = known(rows.map((row) => row.p_holm));
  const deflated = known(rows.map((row) => row.deflated_sharpe));
  const spa = least(known(rows.map((row) => row.spa_p_value)));
  return {
    sweeps: new Set(rows.map((row) => row.sweep_address)).size,
    trials: Math.max(0, ...rows.map((row) => row.n_trials)),
    judged: holm.length,
    significant: rows.filter((row) => row.verdict === "significant").length,
    bestHolm: least(holm),
    bestDeflated: deflated.length > 0 ? Math.max(...deflated) : null,
    spa,
    spaOf: rows.find((row) => spa !== null && row.spa_p_value === spa)?.experiment ?? "",
    clearing: rows.filter(clears).length,
    clearingByChance: Math.round(rows.length * BY_CHANCE),
  };
}

export interface Sentence {
  title: string;
  text: string;
}

const counted = (n: number, one: string, many = `${one}s`): string => `${n.toLocaleString("en-US")} ${n === 1 ? one : many}`;

/** What comes before any single row. */
export function sentence({ sweeps, trials, judged, significant, spa, spaOf }: Standing): Sentence {
  const over = sweeps > 1 ? `${counted(sweeps, "sweep")} of up to ${counted(trials, "trial")}` : counted(trials, "trial");
  if (judged === 0) {
    return { title: "No row can be judged", text: "Too few trades, or captures too short for a bootstrap: lower thresholds or longer windows give more." };
  }
  if (significant > 0) {
    const rows = significant === 1 ? "row survives" : "rows survive";
    return {
      title: `${significant.toLocaleString("en-US")} ${rows} correction for ${over}`,
      text: "They were chosen on these days. What counts is whether they repeat on test days.",
    };
  }
  if (spa !== null && spa <= ALPHA) {
    return {
      title: `No single row survives correction for ${over}`,
      text: `By SPA something in ${spaOf} is unlikely to be luck, but not which row: other days must tell.`,
    };
  }
  return {
    title: `Nothing survives correction for ${over}`,
    text: "The top rows are what chance leaves on top. Read them as noise until they repeat on test days.",
  };
}
