// Faults of layout of the page as it is now, a line each. Every visible text is looked at as rectangles: text that ends in
// an ellipsis must keep some room and tell the rest in a title; a part of the page that scrolls may hide what it scrolls
// to; what floats over the page on purpose is a layer of its own.
(() => {
  const SLACK = 1.5, LEAST = 20;
  const FLOATING = '.tooltip, .popover, .help, .key-help, .card, .notices, .warming, .session-hover, option, .labels .tag, .labels .chip';
  const name = (node) => {
    const of = (n) => n.tagName.toLowerCase() + (n.className && typeof n.className === 'string' ? '.' + n.className.trim().split(/\s+/).join('.') : '');
    return [node.parentElement, node].filter(Boolean).map(of).join(' > ');
  };
  const faults = [], texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent.trim(), owner = node.parentElement;
    if (!text || !owner || owner.closest('script, style, noscript, option, optgroup, .offscreen')) continue;
    if (!owner.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const say = (what) => faults.push(`${what}: "${text.slice(0, 40)}" in ${name(owner)}`);
    for (const box of range.getClientRects()) {
      let { left, top, right, bottom } = box, short = false, scrolled = false;
      let lost = 0;
      for (let up = owner; up; up = up.parentElement) {
        const style = getComputedStyle(up), clip = up.getBoundingClientRect();
        if (style.overflowX === 'visible' && style.overflowY === 'visible') continue;
        if (up === document.body || up === document.documentElement) continue;
        const scrolls = /auto|scroll/.test(style.overflowY);
        const cutX = Math.max(0, clip.left - left) + Math.max(0, right - clip.right);
        const cutY = Math.max(0, clip.top - top) + Math.max(0, bottom - clip.bottom);
        if (cutX > SLACK && style.textOverflow === 'ellipsis') short = true;
        else if (cutX > SLACK && !/auto|scroll/.test(style.overflowX)) lost = Math.max(lost, cutX);
        if (cutY > 0 && scrolls) scrolled = true;
        else if (cutY > 2 * SLACK && style.overflowY !== 'visible' && !owner.closest('.labels')) lost = Math.max(lost, cutY);
        left = Math.max(left, clip.left); right = Math.min(right, clip.right);
        top = Math.max(top, clip.top); bottom = Math.min(bottom, clip.bottom);
      }
      if (scrolled && bottom - top < 6) continue; // scrolled away
      if (short && right - left < LEAST) say(`no room (${Math.round(right - left)} px)`);
      else if (short && !owner.closest('[title]')) say('shortened without a title');
      else if (lost > SLACK) say(`cut by ${Math.round(lost)} px`);
      if (box.right > innerWidth + SLACK || box.bottom > innerHeight + SLACK || box.left < -SLACK || box.top < -SLACK) {
        if (!short && !scrolled && !owner.closest('.labels')) say('outside the window');
      }
      if (right - left > 0 && bottom - top > 0) texts.push({ left, top, right, bottom, text, owner, over: owner.closest(FLOATING) });
    }
  }
  for (let i = 0; i < texts.length; i += 1) for (let j = i + 1; j < texts.length; j += 1) {
    const a = texts[i], b = texts[j];
    if (a.owner === b.owner || a.over !== b.over) continue;
    const x = Math.min(a.right, b.right) - Math.max(a.left, b.left), y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (x > SLACK && y > 3) faults.push(`on each other: "${a.text.slice(0, 30)}" (${name(a.owner)}) and "${b.text.slice(0, 30)}" (${name(b.owner)})`);
  }
  // A row of controls that has outgrown its box.
  for (const node of document.querySelectorAll('.deck, .deck-row, .stroke-key, .topbar, .tools, .transport, .filters, .banner, .table-foot, .health, .page, .columns, .chart, .panel')) {
    if (node.checkVisibility() && node.scrollWidth > node.clientWidth + SLACK) faults.push(`${name(node)} is ${node.scrollWidth - node.clientWidth} px too narrow`);
  }
  return [...new Set(faults)];
})()
