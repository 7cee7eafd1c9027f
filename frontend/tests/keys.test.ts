import { describe, expect, it } from "vitest";
import { PARTS, defaultPrefs, parsePrefs } from "../src/lib/prefs";
import { nextSpeed } from "../src/stream/commands";
import { COMMANDS, commandOf, hint, keyName } from "../src/stream/keys";
import { FIELD_GROUPS, FIELD_LAYERS } from "../src/view/layers";

const press = (key: string, held: { ctrlKey?: boolean; altKey?: boolean; metaKey?: boolean } = {}) =>
  commandOf({ key, ctrlKey: false, metaKey: false, altKey: false, ...held });

describe("keys", () => {
  it("belong to one command each, and every command has one", () => {
    const keys = COMMANDS.flatMap((command) => command.keys as readonly string[]);
    expect(new Set(keys).size).toBe(keys.length);
    expect(COMMANDS.every((command) => command.keys.length > 0 && command.text.length > 0)).toBe(true);
  });

  it("are found whatever the case, and left alone with Ctrl, Alt or Meta", () => {
    expect([press("f"), press("F"), press(" "), press("?"), press("ArrowUp"), press("q")]).toEqual(
      ["follow", "follow", "toggle", "help", "up", undefined],
    );
    expect(press("f", { ctrlKey: true }) ?? press("f", { metaKey: true }) ?? press("f", { altKey: true })).toBeUndefined();
  });

  it("are printed as people know them", () => {
    expect([keyName("ArrowLeft"), keyName("f"), keyName("Space"), keyName("-")]).toEqual(["←", "F", "Space", "−"]);
    expect(hint("toggle", "Pause")).toBe("Pause (Space)");
    expect(hint("help")).toBe("These keys (?)");
  });
});

describe("pace", () => {
  it("goes from slow to as fast as can be read, and stops at the ends", () => {
    expect([nextSpeed(0.5, -1), nextSpeed(0.5, 1), nextSpeed(10, 1), nextSpeed(0, 1), nextSpeed(0, -1)]).toEqual([0.5, 1, 0, 0, 10]);
    expect(nextSpeed(7, 1)).toBe(2);
  });
});

describe("preferences", () => {
  it("survive being written down, and take no nonsense", () => {
    const prefs = { ...defaultPrefs(), palette: "green-purple", strip: "delta" as const };
    prefs.show.panel = false;
    expect(parsePrefs(JSON.stringify(prefs))).toEqual(prefs);
    for (const text of [null, "", "7", "{", '{"strip":"x","show":{"panel":3,"other":true}}']) {
      expect(parsePrefs(text)).toEqual(defaultPrefs());
    }
    expect(Object.keys(defaultPrefs().show)).toEqual([...PARTS]);
  });
});

describe("the menu of all fields", () => {
  it("holds each field once", () => {
    const listed = FIELD_GROUPS.flatMap(({ layers }) => layers.map(({ id }) => id));
    expect([...listed].sort()).toEqual(FIELD_LAYERS.map(({ id }) => id).sort());
    expect(FIELD_GROUPS.every(({ layers }) => layers.length > 0)).toBe(true);
  });
});
