/**
 * Messages of the stream as the page uses them: text is JSON of the generated types, binary is one Arrow IPC stream
 * whose columns become typed arrays of `grid_rows` values without a copy. Anything else raises WireError.
 */

import { tableFromIPC } from "@uwdata/flechette";
import { nsToMs } from "../lib/clock";
import { type BinScalars, NO_TICK } from "../lib/bins";
import type { GridUpdate, RuntimeConfig, ServerMessage } from "../wire.generated";

export class WireError extends Error {}

const TYPES = new Set(["warming", "runtime_config", "grid_update", "end", "error"]);

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

interface Layout {
  /** Everything before the values: schema and record-batch metadata, the same in every message of a stream. */
  head: Uint8Array;
  bytes: number;
  columns: Map<string, (buffer: ArrayBufferLike, base: number) => Column>;
}

/**
 * Reads the binary messages of one stream. The first is parsed as Arrow; where the next ones have the same bytes in
 * front of their values, the values lie at the same places and are taken from there without parsing again.
 */
export class GridReader {
  readonly #rows: number;
  #layout: Layout | null = null;

  /** `rows` is what runtime_config promised. */
  constructor(rows: number) {
    this.#rows = rows;
  }

  read(message: ArrayBuffer | Uint8Array): Grid {
    const bytes = message instanceof Uint8Array ? message : new Uint8Array(message);
    const layout = this.#layout;
    if (layout && sameHead(layout, bytes)) {
      const { buffer, byteOffset } = bytes;
      return { rows: this.#rows, column: (name) => layout.columns.get(name)?.(buffer, byteOffset) };
    }
    return this.#parse(bytes);
  }

  #parse(bytes: Uint8Array): Grid {
    let table: ReturnType<typeof tableFromIPC>;
    try {
      table = tableFromIPC(bytes);
    } catch (error) {
      throw new WireError(`a binary message is not an Arrow IPC stream: ${String(error)}`);
    }
    if (table.numRows !== this.#rows) {
      throw new WireError(`a grid has ${table.numRows} rows, runtime_config said ${this.#rows}`);
    }
    const columns = new Map<string, Column>();
    for (const { name } of table.schema.fields) columns.set(name, table.getChild(name)?.toArray() as Column);
    this.#layout = layoutOf(bytes, columns);
    return { rows: this.#rows, column: (name) => columns.get(name) };
  }
}

type Numbers = Float32Array | Float64Array | Int32Array | Int8Array;

/** Where the values lie, or null when one of the columns was copied (64-bit integers are left out). */
function layoutOf(bytes: Uint8Array, columns: Map<string, Column>): Layout | null {
  const places: Layout["columns"] = new Map();
  let body = bytes.byteLength;
  for (const [name, column] of columns) {
    if (!ArrayBuffer.isView(column)) continue;
    const view = column as unknown as Numbers;
    if (view.buffer !== bytes.buffer) continue;
    const Kind = view.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => Numbers;
    const offset = view.byteOffset - bytes.byteOffset;
    const { length, BYTES_PER_ELEMENT: size } = view;
    body = Math.min(body, offset);
    places.set(name, (buffer, base) => {
      const at = base + offset;
      return at % size === 0 ? new Kind(buffer, at, length) : new Kind(buffer.slice(at, at + length * size), 0, length);
    });
  }
  return places.size > 0 ? { head: bytes.slice(0, body), bytes: bytes.byteLength, columns: places } : null;
}

function sameHead({ head, bytes }: Layout, message: Uint8Array): boolean {
  if (message.byteLength !== bytes) return false;
  for (let i = 0; i < head.length; i += 1) if (head[i] !== message[i]) return false;
  return true;
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
