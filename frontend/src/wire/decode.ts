/**
 * Messages of the stream as the page uses them: text is JSON of the generated types, binary is one Arrow IPC stream
 * whose columns become typed arrays of `grid_rows` values without a copy. Anything else raises WireError.
 */

import { tableFromIPC } from "@uwdata/flechette";
import { nsToMs } from "../lib/clock";
import { type BinScalars, NO_TICK } from "../lib/ring";
import type { GridUpdate, RuntimeConfig, ServerMessage } from "../wire.generated";

export class WireError extends Error {}

const TYPES = new Set(["runtime_config", "grid_update", "end", "error"]);

/** One text message. */
export function decodeText(text: string): ServerMessage {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    throw new WireError(`a text message is not JSON: ${text.slice(0, 80)}`);
  }
  const type = (message as { type?: unknown } | null)?.type;
  if (typeof type !== "string" || !TYPES.has(type)) {
    throw new WireError(`unknown message type ${JSON.stringify(type)}; page and service are of different versions`);
  }
  if (type === "runtime_config") checkConfig(message as RuntimeConfig);
  return message as ServerMessage;
}

function checkConfig(config: RuntimeConfig): void {
  if (config.stream_format !== "dense_grid") {
    throw new WireError(`stream_format is ${config.stream_format}, this page reads dense_grid`);
  }
  if (!(config.grid_rows > 0 && config.grid_rows % 2 === 1)) {
    throw new WireError(`grid_rows must be odd and positive, was ${config.grid_rows}`);
  }
}

export type Column = ArrayLike<number>;

/** The grid of one bin: columns by name. */
export interface Grid {
  rows: number;
  column(name: string): Column | undefined;
}

/** One binary message; `rows` is what runtime_config promised. */
export function decodeGrid(bytes: ArrayBuffer | Uint8Array, rows: number): Grid {
  let table: ReturnType<typeof tableFromIPC>;
  try {
    table = tableFromIPC(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
  } catch (error) {
    throw new WireError(`a binary message is not an Arrow IPC stream: ${String(error)}`);
  }
  if (table.numRows !== rows) throw new WireError(`a grid has ${table.numRows} rows, runtime_config said ${rows}`);
  return {
    rows,
    column(name) {
      return table.getChild(name)?.toArray() as Column | undefined;
    },
  };
}

/** Absolute tick of a price: the wire's prices are on the grid, rounding only guards against a foreign one. */
export function tickOf(priceInt: string, tickInt: string): number {
  const price = BigInt(priceInt);
  const tick = BigInt(tickInt);
  return Number((2n * price + tick) / (2n * tick));
}

/** What the ring keeps of a grid_update. */
export function binScalars(update: GridUpdate, config: RuntimeConfig): BinScalars {
  const valid = update.book_valid;
  const tick = (price: string): number => (valid ? tickOf(price, config.tick_int) : NO_TICK);
  return {
    seq: update.bin_seq,
    valid,
    spotTick: tick(update.spot_ref_price_int),
    bidTick: tick(update.best_bid_price_int),
    askTick: tick(update.best_ask_price_int),
    mid: valid ? update.mid_price : 0,
    buyVolume: update.buy_volume,
    sellVolume: update.sell_volume,
    score: update.state_model_score,
    ready: update.state_model_ready,
    dominant: update.state_model_dominant_state5_code,
    signal: update.signal?.value ?? Number.NaN,
    fired: update.signal?.fired ?? 0,
  };
}

/** Market time at the start of bin 0, in milliseconds. */
export function originMs(update: GridUpdate, config: RuntimeConfig): number {
  return nsToMs(update.bin_start_ns) - update.bin_seq * config.cell_width_ms;
}
