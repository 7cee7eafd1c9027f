/**
 * Columns of the map by bin, anchored to price: rows run k = -R..+R around each column's own spot tick. The ring keeps
 * the last `capacity` bins of every field; a bin sits in slot `bin_seq mod capacity`, so a bin that never came leaves a
 * slot whose number does not match.
 */

const EMPTY = -1;

/** What a column source must tell to be sampled and drawn; column numbers are bins here, groups of bins in CoarseMap. */
export interface Columns {
  readonly rows: number;
  readonly capacity: number;
  /** Column number per slot, -1 while empty. */
  readonly seqs: Int32Array;
  readonly first: number;
  readonly last: number;
  readonly spotTick: Int32Array;
  /** Slot of a column that has values, -1 otherwise. */
  drawn(column: number): number;
  field(name: string): Float32Array | undefined;
}

export class ColumnRing implements Columns {
  readonly capacity: number;
  readonly rows: number;
  readonly fields: readonly string[];
  /** bin_seq per slot, -1 while empty. */
  readonly seqs: Int32Array;
  readonly valid: Uint8Array;
  readonly spotTick: Int32Array;
  readonly #columns = new Map<string, Float32Array>();
  #last = EMPTY;
  #first = EMPTY;

  constructor(capacity: number, rows: number, fields: readonly string[]) {
    this.capacity = capacity;
    this.rows = rows;
    this.fields = fields;
    this.seqs = new Int32Array(capacity).fill(EMPTY);
    this.valid = new Uint8Array(capacity);
    this.spotTick = new Int32Array(capacity);
    for (const field of fields) this.#columns.set(field, new Float32Array(capacity * rows));
  }

  /** Latest bin, -1 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Oldest bin that can still be here, -1 before the first. */
  get first(): number {
    return this.#first === EMPTY ? EMPTY : Math.max(this.#first, this.#last - this.capacity + 1);
  }

  get radius(): number {
    return (this.rows - 1) / 2;
  }

  /** Slot of a bin, -1 if it is not held. */
  slotOf(seq: number): number {
    if (seq < 0 || seq > this.#last) return -1;
    const slot = seq % this.capacity;
    return this.seqs[slot] === seq ? slot : -1;
  }

  drawn(seq: number): number {
    const slot = this.slotOf(seq);
    return slot >= 0 && this.valid[slot] === 1 ? slot : -1;
  }

  /** Append a bin (later than the last, or earlier after a seek: what came after it is forgotten); its slot. */
  push(seq: number, valid: boolean, spotTick: number, column: (field: string) => ArrayLike<number> | undefined): number {
    if (seq <= this.#last) this.rewind(seq);
    const slot = seq % this.capacity;
    for (const field of this.fields) {
      const target = this.#columns.get(field);
      const values = column(field);
      const at = slot * this.rows;
      if (values && values.length === this.rows) target?.set(values, at);
      else target?.fill(0, at, at + this.rows);
    }
    this.seqs[slot] = seq;
    this.valid[slot] = valid ? 1 : 0;
    this.spotTick[slot] = spotTick;
    if (this.#first === EMPTY) this.#first = seq;
    this.#last = seq;
    return slot;
  }

  /** Forget bin `seq` and all later ones. */
  rewind(seq: number): void {
    for (let slot = 0; slot < this.capacity; slot += 1) if (this.seqs[slot] >= seq) this.seqs[slot] = EMPTY;
    this.#last = Math.min(this.#last, seq - 1);
    if (this.#first > this.#last) this.#first = this.#last = EMPTY;
  }

  /** All slots of a field, (capacity, rows) in slot order. */
  field(name: string): Float32Array | undefined {
    return this.#columns.get(name);
  }

  /** Values of a field in one bin, rows k = -R..+R; undefined where the bin is not held or its book is invalid. */
  column(name: string, seq: number): Float32Array | undefined {
    const slot = this.drawn(seq);
    return slot < 0 ? undefined : this.#columns.get(name)?.subarray(slot * this.rows, (slot + 1) * this.rows);
  }

  /** One value by bin and absolute tick; NaN outside the grid, in a gap or under an invalid book. */
  at(name: string, seq: number, tick: number): number {
    return cell(this, name, seq, tick);
  }
}

/** One value of a column by absolute tick; NaN where there is none. */
export function cell(columns: Columns, name: string, column: number, tick: number): number {
  const slot = columns.drawn(column);
  if (slot < 0) return Number.NaN;
  const row = tick - columns.spotTick[slot] + (columns.rows - 1) / 2;
  if (row < 0 || row >= columns.rows) return Number.NaN;
  return columns.field(name)?.[slot * columns.rows + row] ?? Number.NaN;
}

/** The value of largest magnitude at a tick among columns [from, from + n); NaN when none of them has one. */
export function largest(columns: Columns, name: string, from: number, n: number, tick: number): number {
  let best = Number.NaN;
  for (let column = from; column < from + n; column += 1) {
    const value = cell(columns, name, column, tick);
    if (!Number.isNaN(value) && !(Math.abs(value) <= Math.abs(best))) best = value;
  }
  return best;
}

/**
 * Up to out.length values of a field as the map shows them, from columns [from, to] and ticks [low, high], evenly
 * thinned; their count. `pooled` columns share a pixel: then the largest of each group counts.
 */
export function sample(
  columns: Columns, name: string, span: [number, number], ticks: [number, number], out: Float32Array, pooled = 1,
): number {
  const values = columns.field(name);
  if (!values || columns.last < 0) return 0;
  const { rows } = columns;
  const radius = (rows - 1) / 2;
  const from = Math.max(span[0], columns.first);
  const to = Math.min(span[1], columns.last);
  const cells = Math.max(1, ((to - from + 1) / pooled) * (ticks[1] - ticks[0] + 1));
  const stride = Math.max(1, Math.ceil(cells / out.length));
  let n = 0;
  let phase = 0;
  for (let column = Math.floor(from / pooled) * pooled; column <= to; column += pooled) {
    let slot = -1;
    for (let i = 0; i < pooled && slot < 0; i += 1) slot = columns.drawn(column + i);
    if (slot < 0) continue;
    const low = Math.max(0, ticks[0] - columns.spotTick[slot] + radius);
    const high = Math.min(rows - 1, ticks[1] - columns.spotTick[slot] + radius);
    let row = low + phase;
    for (; row <= high && n < out.length; row += stride) {
      const tick = columns.spotTick[slot] + row - radius;
      out[n++] = pooled === 1 ? values[slot * rows + row] : largest(columns, name, column, pooled, tick);
    }
    phase = Math.max(0, row - high - 1) % stride;
  }
  return n;
}
