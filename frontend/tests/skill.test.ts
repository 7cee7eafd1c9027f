import { describe, expect, it } from "vitest";
import { ProjectionSkill } from "../src/lib/skill";
import { skillText } from "../src/view/zoneHead";

const row = (...values: number[]): Float32Array => Float32Array.from(values);

describe("skill of projections", () => {
  it("is 1 for a projection that comes true, 0 for zeros, negative for a wrong sign", () => {
    const score = (seq: number): Float32Array => row(0.25 * seq, -0.5, 0.5);
    const kinds: [(seq: number) => Float32Array, number][] = [
      [(seq) => score(seq + 1), 1],
      [() => row(0, 0, 0), 0],
      [(seq) => score(seq + 1).map((value) => -value), -3],
    ];
    for (const [projected, expected] of kinds) {
      const skill = new ProjectionSkill([1]);
      for (let seq = 0; seq < 5; seq += 1) skill.add(seq, 100, score(seq), [projected(seq)], false);
      expect(skill.horizons[0].skill).toBeCloseTo(expected, 5);
    }
  });

  it("follows the tick, not the row, when the spot moves", () => {
    const skill = new ProjectionSkill([1]);
    skill.add(0, 100, row(0.5, 0.5, 0.5), [row(0.1, 0.2, 0.3)], false);
    skill.add(1, 101, row(0.2, 0.3, 0.9), [row(0, 0, 0)], false);
    // Ticks 99, 100, 101 were projected; 99 is off the grid now, 100 came as 0.2, 101 as 0.3.
    expect(skill.horizons[0]).toMatchObject({ n: 2 });
    expect(skill.horizons[0].skill).toBeCloseTo(1, 10);
  });

  it("compares over its horizon, and leaves out cells with nothing projected and nothing scored", () => {
    const skill = new ProjectionSkill([1, 2]);
    for (let seq = 0; seq < 3; seq += 1) skill.add(seq, 100, row(0, 0.5, 0), [row(0, 0, 0), row(0, 0, 0)], false);
    expect(skill.horizons.map(({ n }) => n)).toEqual([2, 1]);
    expect(skill.overall).toMatchObject({ n: 3, skill: 0 });
  });

  it("compares nothing across missed bins or a step back", () => {
    const skill = new ProjectionSkill([1]);
    skill.add(0, 100, row(1), [row(1)], false);
    skill.add(5, 100, row(1), [row(1)], true);
    expect(skill.overall.n).toBe(0);
    skill.add(3, 100, row(1), [row(1)], false);
    expect(skill.overall.n).toBe(0);
    skill.add(4, 100, row(1), [row(1)], false);
    expect(skill.overall.n).toBe(1);
  });

  it("is put in words only after enough cells", () => {
    expect(skillText({ n: 10, skill: -3 }).text).toBe("");
    expect(skillText({ n: 1e6, skill: -3 })).toEqual({ text: "worse than guessing 0", worse: true });
    expect(skillText({ n: 1e6, skill: 0.01 }).worse).toBe(false);
    expect(skillText({ n: 1e6, skill: 0.3 }).text).toBe("better than guessing 0");
  });
});
