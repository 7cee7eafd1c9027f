import { describe, expect, it } from "vitest";
import { ProjectionSkill, tQuantile } from "../src/lib/skill";
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

  it("counts a bin that is replayed again once", () => {
    const skill = new ProjectionSkill([1]);
    for (const seq of [0, 1, 2, 3, 0, 1, 2, 3, 4]) skill.add(seq, 100, row(1), [row(1)], false);
    expect(skill.overall).toMatchObject({ n: 4, bins: 4 });
  });

  it("is too early to tell before 600 bins, however many cells were compared", () => {
    expect(skillText({ n: 1e6, bins: 80, skill: -5, low: Number.NaN, high: Number.NaN })).toEqual({
      figure: "too early", text: "80 of 600 bins", worse: false,
    });
    const skill = new ProjectionSkill([1]);
    for (let seq = 0; seq <= 599; seq += 1) skill.add(seq, 100, row(1, 1), [row(0.5, 0.5)], false);
    expect(skill.overall.low).toBeNaN();
    skill.add(600, 100, row(1, 1), [row(0.5, 0.5)], false);
    expect(skill.overall).toMatchObject({ bins: 600, skill: 0.75 });
    expect(skill.overall.low).toBeCloseTo(0.75, 10);
  });

  it("has a 95 % interval that holds the true skill about as often as it says", () => {
    let state = 7;
    const uniform = (): number => {
      state = (state * 48271) % 2147483647;
      return state / 2147483647;
    };
    let held = 0;
    const trials = 200;
    for (let trial = 0; trial < trials; trial += 1) {
      const skill = new ProjectionSkill([1]);
      // Errors that last: an AR(1) of 10 bins; what came is ±1. Skill is 1 − E[error²].
      let error = 0;
      for (let seq = 0; seq <= 1200; seq += 1) {
        error = 0.9 * error + Math.sqrt(1 - 0.81) * (uniform() + uniform() + uniform() + uniform() - 2) * Math.sqrt(3);
        skill.add(seq, 100, row(1), [row(1 + error)], false);
      }
      const { low, high } = skill.overall;
      if (low <= 0 && high >= 0) held += 1; // E[error²] is 1
    }
    expect(held / trials).toBeGreaterThan(0.88);
    expect(held / trials).toBeLessThan(0.99);
  });

  it("is put in words by the side of 0 its interval lies on", () => {
    const told = (low: number, high: number): string => skillText({ n: 1e6, bins: 900, skill: (low + high) / 2, low, high }).text;
    expect(told(-6, -4)).toBe("worse than guessing 0");
    expect(told(-0.1, 0.2)).toBe("not told apart from 0");
    expect(told(0.1, 0.2)).toBe("better than guessing 0");
    expect(skillText({ n: 1, bins: 900, skill: -5, low: -6.131, high: -4 }).figure).toBe("−6.13 to −4.00");
  });

  it("uses Student's t within a hundredth", () => {
    for (const [freedom, exact] of [[9, 2.262], [14, 2.145], [19, 2.093], [30, 2.042], [120, 1.98]]) {
      expect(Math.abs(tQuantile(freedom) - exact)).toBeLessThan(0.01);
    }
  });
});
