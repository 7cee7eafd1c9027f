import { describe, expect, it } from "vitest";
import { verdictNote } from "../src/panel/signal";
import { pickStream } from "../src/stream/api";
import type { DatasetEntry, ServingEntry } from "../src/wire.generated";

describe("what to stream when nothing is asked for", () => {
  const spec = (name: string, origin: "authored" | "promoted", can_stream = true): ServingEntry =>
    ({ name, origin, can_stream }) as ServingEntry;
  const data = (dataset_id: string, end_ns: string): DatasetEntry => ({ dataset_id, end_ns }) as DatasetEntry;

  it("is the newest promoted spec that can be streamed", () => {
    const specs = [spec("a", "promoted"), spec("b", "promoted"), spec("c", "promoted", false), spec("d", "authored")];
    expect(pickStream(specs, [])?.toString()).toBe("serving=b");
  });

  it("else the newest dataset, else an authored spec, else nothing", () => {
    const sets = [data("old", "1703545200000000000"), data("new", "1770390000000000000")];
    expect(pickStream([spec("d", "authored")], sets)?.toString()).toBe("dataset=new");
    expect(pickStream([spec("d", "authored")], [])?.toString()).toBe("serving=d");
    expect(pickStream([], [])).toBeNull();
  });
});

describe("the note on a promoted spec", () => {
  it("says what it was worth after correction", () => {
    expect(verdictNote({ figures: { p_holm: 1, n_trials: 384 } })).toMatch(/not significant, Holm p 1\.00 over 384 trials/);
    expect(verdictNote({ figures: { p_value: 0.04 } })).toMatch(/not corrected/);
    expect(verdictNote(null)).toBe("");
  });
});
