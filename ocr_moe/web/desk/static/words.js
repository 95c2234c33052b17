// The page's phrases, filled in; a text with a bar says before it what is told of one.
export class Words {
  constructor(phrases) {
    this.phrases = phrases;
  }

  has(key) {
    return `cell_${key}` in this.phrases;
  }

  say(key, values = {}) {
    const text = this.phrases[`cell_${key}`] ?? key;
    const bar = text.indexOf("|");
    const chosen = bar < 0 ? text : values.n === 1 ? text.slice(0, bar) : text.slice(bar + 1);
    return chosen.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  }

  // A chance of 0 to 1 as people say it; never all or nothing.
  chance(p) {
    if (p === null || p === undefined) return this.say("chance_none");
    if (p < 0.01) return this.say("chance_small");
    if (p > 0.99) return this.say("chance_large");
    return this.say("chance", { percent: Math.round(p * 100) });
  }
}
