/** Fetches what belongs to a chosen run: its detail and links once, its trades once per threshold. A choice that is
 * passed over on the way to another costs nothing. */

import { ApiError } from "../stream/api";
import type { RunDetail, RunLinks, RunRow, RunTrades } from "../wire.generated";
import { getLinks, getRun, getTrades } from "./api";
import type { Loaded } from "./detail";
import { rowKey } from "../lib/runs";

/** Whoever walks through rows with the arrow keys rests this long on the one they look at. */
const REST_MS = 160;
const ON_ITS_WAY = "Replaying the trades …";
const MOST_KEPT = 200;

export class RunLoader {
  readonly #onCome: () => void;
  readonly #details = new Map<string, RunDetail>();
  readonly #links = new Map<string, RunLinks>();
  readonly #trades = new Map<string, RunTrades | string>();
  #timer = 0;

  /** `onCome` is called whenever something has come. */
  constructor(onCome: () => void) {
    this.#onCome = onCome;
  }

  /** What has come of a row so far. */
  of(row: RunRow): Loaded {
    const trades = this.#trades.get(rowKey(row)) ?? (row.n_signals === 0 ? "No trade at this threshold." : ON_ITS_WAY);
    return { detail: this.#details.get(row.run_id) ?? null, links: this.#links.get(row.run_id) ?? null, trades };
  }

  /** Fetch what is missing of a row, once it has been looked at for a moment. */
  want(row: RunRow): void {
    window.clearTimeout(this.#timer);
    const known = this.#details.has(row.run_id) && (row.n_signals === 0 || this.#trades.has(rowKey(row)));
    if (!known) this.#timer = window.setTimeout(() => void this.#fetch(row), REST_MS);
  }

  async #fetch(row: RunRow): Promise<void> {
    const { run_id, threshold } = row;
    const detail = this.#keep(this.#details, run_id, () => getRun(run_id));
    const links = this.#keep(this.#links, run_id, () => getLinks(run_id));
    const wanted = row.n_signals > 0;
    const trades = wanted ? this.#keep<RunTrades | string>(this.#trades, rowKey(row), () => getTrades(run_id, threshold), trouble) : null;
    await Promise.all([detail, links, trades]);
  }

  async #keep<T>(shelf: Map<string, T>, key: string, fetched: () => Promise<T>, otherwise?: (error: unknown) => T): Promise<void> {
    if (shelf.has(key)) return;
    try {
      shelf.set(key, await fetched());
    } catch (error) {
      if (!otherwise) return; // the row itself stays; what could not be read is left out, and asked for again
      shelf.set(key, otherwise(error));
      if (error instanceof ApiError && error.status === 0) window.setTimeout(() => shelf.delete(key));
    }
    if (shelf.size > MOST_KEPT) shelf.delete(shelf.keys().next().value as string);
    this.#onCome();
  }
}

function trouble(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
