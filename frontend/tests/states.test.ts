import { describe, expect, it } from "vitest";
import { connectingCard, datasetChoices, errorCard, missingDay, unreachableCard, warmingText } from "../src/view/states";
import type { DatasetEntry, StreamError } from "../src/wire.generated";

const refusal = (code: StreamError["code"], message: string, parameter: string | null = null): StreamError => ({
  type: "error", code, message, parameter,
});
const entry = {
  dataset_id: "a b", symbol: "ESH4", dt: "2023-12-25", start_time: "18:00:00", end_time: "19:00:30",
} as unknown as DatasetEntry;
const nothing = (): void => undefined;

describe("cards", () => {
  it("always hold the server's own words, the parameter and the code", () => {
    const card = errorCard(refusal("bad_value", "`speed` must be a number, was 'x'", "speed"), 1008, [], nothing);
    expect(card.lines.join(" ")).toContain("`speed` must be a number, was 'x'");
    expect(card.lines.join(" ")).toContain("Parameter: speed");
    expect(card.code).toBe("bad_value · 1008");
    expect(card.action?.label).toBe("Retry");
  });

  it("say which day is missing, how to get it, and what is there", () => {
    const error = refusal("not_found", "no raw data of ESH4 for 2023-12-26 (UTC) in ./lake");
    expect(missingDay(error)).toEqual({ symbol: "ESH4", day: "2023-12-26" });
    const card = errorCard(error, 1008, [entry], nothing);
    expect(card.title).toBe("No data for ESH4 on Tue 26 Dec 2023");
    expect(card.commands?.[0]).toContain("vp download --from 2023-12-26");
    expect(card.choices).toEqual(datasetChoices([entry]));
    expect(card.choices?.[0]).toEqual({ label: "ESH4 Mon 25 Dec 18:00–19:00:30", href: "vacuum-pressure.html?dataset=a%20b" });
    expect(missingDay(refusal("not_found", "no dataset `x`"))).toBeNull();
  });

  it("say what is tried and when it is tried again", () => {
    expect(connectingCard("h:1", 3, 1500).lines).toEqual(["h:1, second try.", "The next follows in 2 s."]);
    expect(warmingText({ type: "warming", what: "models are read", behind: null })).toBe("Models are read.");
    expect(warmingText({ type: "warming", what: "bins are computed", behind: 12_000 })).toBe("Bins are computed: 12,000 to go.");
    const lost = unreachableCard("h:1", null, nothing);
    expect(lost.lines.join(" ")).toContain("h:1");
    expect(lost.commands).toEqual(["vp-serve"]);
  });
});
