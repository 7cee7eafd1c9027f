import { float32, int32, int64, int8, tableFromArrays, tableToIPC } from "@uwdata/flechette";
import { describe, expect, it } from "vitest";
import { GridReader, WireError, decodeText, tickOf } from "../src/wire/decode";

function message(shift: number, rows = 5): Uint8Array {
  const table = tableFromArrays(
    {
      k: Int32Array.from({ length: rows }, (_, i) => i - (rows - 1) / 2),
      v_add: Float32Array.from({ length: rows }, (_, i) => i + shift),
      state5_code: Int8Array.from({ length: rows }, (_, i) => i - 2),
      last_event_id: BigInt64Array.from({ length: rows }, (_, i) => BigInt(i + shift)),
    },
    { types: { k: int32(), v_add: float32(), state5_code: int8(), last_event_id: int64() } },
  );
  return tableToIPC(table, { format: "stream" }) as Uint8Array;
}

describe("grids", () => {
  it("reads columns by name and type", () => {
    const grid = new GridReader(5).read(message(10));
    expect(Array.from(grid.column("k") ?? [])).toEqual([-2, -1, 0, 1, 2]);
    expect(Array.from(grid.column("v_add") ?? [])).toEqual([10, 11, 12, 13, 14]);
    expect(Array.from(grid.column("state5_code") ?? [])).toEqual([-2, -1, 0, 1, 2]);
    expect(grid.column("nothing")).toBeUndefined();
  });

  it("reads later messages of the same layout from the same places, with their own values", () => {
    const reader = new GridReader(5);
    reader.read(message(0));
    for (const shift of [1, 7, 100]) {
      const column = reader.read(message(shift)).column("v_add");
      expect(Array.from(column ?? [])).toEqual([0, 1, 2, 3, 4].map((i) => i + shift));
    }
  });

  it("survives a message that does not start on an aligned byte", () => {
    const reader = new GridReader(5);
    reader.read(message(0));
    const plain = message(3);
    const odd = new Uint8Array(plain.length + 1);
    odd.set(plain, 1);
    expect(Array.from(reader.read(odd.subarray(1)).column("v_add") ?? [])).toEqual([3, 4, 5, 6, 7]);
  });

  it("refuses what is not a grid of the promised size", () => {
    expect(() => new GridReader(7).read(message(0))).toThrow(/5 rows, runtime_config said 7/);
    expect(() => new GridReader(5).read(new Uint8Array([1, 2, 3]))).toThrow(WireError);
  });
});

describe("text messages", () => {
  it("passes on known types", () => {
    expect(decodeText('{"type":"end","reason":"complete","bins":3,"dropped":0}')).toMatchObject({ type: "end", bins: 3 });
  });

  it("names what it does not know", () => {
    expect(() => decodeText('{"type":"grid"}')).toThrow(/unknown message type "grid"/);
    expect(() => decodeText("hello")).toThrow(/not JSON/);
    expect(() => decodeText("null")).toThrow(WireError);
  });

  it("checks what the page relies on", () => {
    const config = { type: "runtime_config", stream_format: "dense_grid", grid_rows: 100 };
    expect(() => decodeText(JSON.stringify(config))).toThrow(/grid_rows must be odd/);
    expect(() => decodeText(JSON.stringify({ ...config, grid_rows: 101, stream_format: "sparse" }))).toThrow(/dense_grid/);
  });
});

describe("ticks", () => {
  it("are exact beyond float precision and round halves up", () => {
    expect(tickOf("4807000000000", "250000000")).toBe(19228);
    expect(tickOf("9000000000250000000", "250000000")).toBe(36000000001);
    expect(tickOf("125000000", "250000000")).toBe(1);
  });
});
