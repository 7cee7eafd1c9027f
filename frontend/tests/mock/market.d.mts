/** Types of the made-up market, as far as tests use it. */
export interface MockBin {
  update: { bin_seq: number } & Record<string, unknown>;
  columns: Record<string, ArrayLike<number> | BigInt64Array>;
}
export class Market {
  constructor(seed?: number);
  next(): MockBin;
}
export function encode(columns: MockBin["columns"]): Uint8Array;
