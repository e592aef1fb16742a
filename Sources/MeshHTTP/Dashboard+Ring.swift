extension Dashboard {
  /// Workers around a circle, their ranks and what they send.
  static let scriptOfRing = #"""
    'use strict';
    const SVG = 'http://www.w3.org/2000/svg';
    function make(parent, tag, attributes, text) {
      const node = parent.namespaceURI === SVG
        ? document.createElementNS(SVG, tag) : document.createElement(tag);
      for (const name in attributes) node.setAttribute(name, attributes[name]);
      if (text !== undefined) node.textContent = text;
      parent.appendChild(node);
      return node;
    }
    const short = (name, most) => name.length > most ? name.slice(0, most - 1) + '…' : name;
    const natural = new Intl.Collator(undefined, { numeric: true }).compare;
    const CENTER = { x: 380, y: 320 };
    const at = (angle, radius) => ({
      x: CENTER.x + radius * Math.sin(angle), y: CENTER.y - radius * Math.cos(angle) });
    const xy = (point) => point.x.toFixed(1) + ' ' + point.y.toFixed(1);
    function arc(from, to, radius) {
      const end = Math.min(to, from + 2 * Math.PI - 1e-3);
      const large = end - from > Math.PI ? 1 : 0;
      return `M ${xy(at(from, radius))} A ${radius} ${radius} 0 ${large} 1 ${xy(at(end, radius))}`;
    }

    // Those that are there and, in their old places, those that this job has lost.
    function places(ring) {
      const present = new Map(ring.workers.map((worker) => [worker.name, worker]));
      const gone = new Map(ring.departed.slice(-8)
        .filter((one) => ring.seconds - one.seconds < 600)
        .map((one) => [one.name, one]));
      const order = ring.job ? ring.job.ring : [];
      const others = [...present.keys(), ...gone.keys()].sort(natural);
      const names = [...new Set([...order, ...others])]
        .filter((name) => present.has(name) || gone.has(name));
      return names.map((name) => ({ name, worker: present.get(name), gone: gone.get(name) }));
    }

    function standing(place, ring) {
      if (!place.worker) return place.gone.is_lost ? 'lost' : 'gone';
      const worker = place.worker;
      if (worker.is_straggler) return 'straggler';
      if (worker.standing !== 'active') return worker.standing;
      return worker.vranks.length > 0 && isRunning(ring) ? 'active' : 'idle';
    }
    const isRunning = (ring) =>
      ring.job !== null && ring.job !== undefined
        && ['running', 'finishing'].includes(ring.job.state);

    let drawn = { key: '', ranks: new Map(), subs: new Map(), flows: new Map() };

    function drawRing(ring, rates) {
      const all = places(ring);
      const hosted = new Map();
      for (const rank of ring.job ? ring.job.ranks : []) {
        if (!hosted.has(rank.worker)) hosted.set(rank.worker, []);
        hosted.get(rank.worker).push(rank);
      }
      const key = JSON.stringify(all.map((place) => [place.name, standing(place, ring),
        (hosted.get(place.name) || []).map((rank) => rank.vrank)]));
      if (key !== drawn.key) layOut(key, all, ring, hosted);
      const restoring = new Set((ring.job ? ring.job.recoveries : [])
        .filter((one) => one.caught_up_seconds === undefined).map((one) => one.vrank));
      const slow = new Set(ring.workers.filter((one) => one.is_straggler).map((one) => one.name));
      for (const rank of ring.job ? ring.job.ranks : []) {
        const shapes = drawn.ranks.get(rank.vrank);
        if (!shapes) continue;
        const part = (count) => rank.needed > 0 ? Math.min(1, count / rank.needed) : 1;
        const kind = rank.is_final ? 'final' : restoring.has(rank.vrank) ? 'restore'
          : slow.has(rank.worker) ? 'slow' : 'fold';
        shapes.fold.setAttribute('class', 'arc ' + kind);
        draw(shapes.fold, shapes, part(rank.is_final ? rank.needed : rank.next), shapes.radius);
        const copied = rank.is_final ? rank.needed : Math.max(rank.copied, rank.durable);
        shapes.copy.setAttribute('class', 'arc ' + (rank.is_final ? 'final' : 'copy'));
        draw(shapes.copy, shapes, part(copied), shapes.radius - shapes.inset);
        shapes.title.textContent = `rank ${rank.vrank} on ${rank.worker || 'nobody'}: tile`
          + ` ${rank.next} of ${rank.needed}, copied ${rank.copied}, on disk ${rank.durable}`;
      }
      for (const [name, flow] of drawn.flows) {
        const rate = rates.get(name) ? rates.get(name).tiles : 0;
        const strength = rate > 0 ? Math.min(1, Math.log10(1 + rate / 1e4) / 4) : 0;
        flow.setAttribute('stroke-opacity', rate > 0 ? (0.25 + 0.75 * strength).toFixed(2) : '0');
        flow.setAttribute('stroke-width', (4 + 4 * strength).toFixed(1));
        flow.style.animationDuration = (1.6 - 1.2 * strength).toFixed(2) + 's';
      }
      for (const [name, sub] of drawn.subs) {
        const rate = rates.get(name);
        const text = rate && rate.tiles > 0 ? bytes(rate.tiles) + '/s' : '';
        if (sub.textContent !== text) sub.textContent = text;
      }
      drawCenter(ring, rates);
    }

    function draw(path, shapes, part, radius) {
      path.setAttribute('visibility', part > 0 ? 'visible' : 'hidden');
      path.setAttribute('d',
        arc(shapes.from, shapes.from + (shapes.to - shapes.from) * part, radius));
    }

    function layOut(key, all, ring, hosted) {
      const root = document.getElementById('ring');
      root.replaceChildren();
      drawn = { key, ranks: new Map(), subs: new Map(), flows: new Map() };
      const count = Math.max(1, all.length);
      // Who works has the room.
      const weight = (place) => hosted.has(place.name) ? 1 : place.worker ? 0.6 : 0.4;
      const unit = 2 * Math.PI / Math.max(1e-9, all.reduce((sum, one) => sum + weight(one), 0));
      const gap = Math.min(0.1, unit * 0.2);
      let end = 0;
      const radius = 232;
      const node = count <= 16 ? 17 : count <= 32 ? 11 : 7;
      const inner = count <= 32 ? 178 : 188;
      const present = all.filter((place) => place.worker && hosted.has(place.name));
      const flows = make(root, 'g', {});
      all.forEach((place, index) => {
        const width = weight(place) * unit;
        // The first one is in the middle above.
        if (index === 0) end = -width / 2;
        place.angle = end + width / 2;
        const [from, to] = [end + gap / 2, end + width - gap / 2];
        end += width;
        const state = standing(place, ring);
        const group = make(root, 'g', {});
        make(group, 'title', {}, `${place.name}: ${state}`
          + (place.gone && !place.worker ? `, ${place.gone.reason}` : ''));
        const ranks = hosted.get(place.name) || [];
        if (!place.worker) {
          make(group, 'path', { class: 'arc lost-arc', 'stroke-width': 3, d: arc(from, to, radius) });
        } else if (ranks.length === 0) {
          make(group, 'path', { class: 'arc track', 'stroke-width': 6, d: arc(from, to, radius) });
        } else {
          addRanks(group, ranks, from, to, radius);
        }
        const spot = at(place.angle, inner);
        make(group, 'circle', { class: 'node ' + state, cx: spot.x.toFixed(1),
          cy: spot.y.toFixed(1), r: node });
        if (state === 'lost') {
          const arm = node * 0.45;
          make(group, 'path', { class: 'cross', d: `M ${spot.x - arm} ${spot.y - arm} l ${2 * arm}`
            + ` ${2 * arm} m 0 ${-2 * arm} l ${-2 * arm} ${2 * arm}` });
        }
        addName(group, place, state, count, radius + 26);
      });
      present.forEach((place, index) => {
        const next = present[(index + 1) % present.length];
        if (next === place) return;
        const [start, end] = [at(place.angle, inner - node - 3), at(next.angle, inner - node - 3)];
        // To the side of its line, so that two workers have two ways.
        const bend = at(place.angle + ((next.angle - place.angle + 2 * Math.PI) % (2 * Math.PI)) / 2,
          present.length === 2 ? 90 : inner * 0.9);
        drawn.flows.set(place.name, make(flows, 'path', { class: 'flow', 'stroke-opacity': 0,
          d: `M ${xy(start)} Q ${xy(bend)} ${xy(end)}` }));
      });
      const middle = make(root, 'g', { 'text-anchor': 'middle' });
      drawn.center = [
        make(middle, 'text', { class: 'center', x: CENTER.x, y: CENTER.y + 6 }, ''),
        make(middle, 'text', { class: 'center-sub', x: CENTER.x, y: CENTER.y + 32 }, ''),
        make(middle, 'text', { class: 'center-sub', x: CENTER.x, y: CENTER.y + 52 }, '')];
    }

    function addRanks(group, ranks, from, to, radius) {
      const width = (to - from) / ranks.length;
      const space = ranks.length > 1 ? Math.min(0.02, width * 0.15) : 0;
      ranks.forEach((rank, index) => {
        const [start, end] = [from + index * width + space / 2,
          from + (index + 1) * width - space / 2];
        const one = make(group, 'g', {});
        const title = make(one, 'title', {});
        make(one, 'path', { class: 'arc track', 'stroke-width': 26, d: arc(start, end, radius) });
        make(one, 'path', { class: 'arc track', 'stroke-width': 6,
          d: arc(start, end, radius - 20) });
        const fold = make(one, 'path', { class: 'arc fold', 'stroke-width': 26 });
        const copy = make(one, 'path', { class: 'arc copy', 'stroke-width': 6 });
        drawn.ranks.set(rank.vrank,
          { from: start, to: end, fold, copy, title, radius, inset: 20 });
      });
    }

    function addName(group, place, state, count, radius) {
      const spot = at(place.angle, radius);
      const side = Math.sin(place.angle);
      const isFew = count <= 16;
      const anchor = Math.abs(side) < 0.2 && isFew ? 'middle' : side >= 0 ? 'start' : 'end';
      const label = make(group, 'g', { 'text-anchor': anchor });
      const kind = 'name' + (place.worker ? '' : ' lost-name');
      if (isFew) {
        const down = -Math.cos(place.angle) * 8;
        make(label, 'text', { class: kind, x: spot.x.toFixed(1), y: (spot.y + down).toFixed(1) },
          short(place.name, 18));
        const sub = make(label, 'text', { class: 'sub', x: spot.x.toFixed(1),
          y: (spot.y + down + 15).toFixed(1) }, state === 'active' ? '' : state);
        if (state === 'active') drawn.subs.set(place.name, sub);
      } else {
        // Along the radius, readable from below.
        const degrees = place.angle * 180 / Math.PI - 90 + (side >= 0 ? 0 : 180);
        const text = make(label, 'text', { class: kind, x: spot.x.toFixed(1), y: spot.y.toFixed(1),
          dy: '0.35em', transform: `rotate(${degrees.toFixed(1)} ${xy(spot)})` },
          short(place.name, 12));
        text.style.fontSize = count <= 40 ? '12px' : '10px';
      }
    }

    function drawCenter(ring, rates) {
      const job = ring.job;
      let texts = ['', ring.workers.length === 0 ? 'no workers yet' : 'no job yet', ''];
      if (job) {
        const part = job.total > 0 ? job.folded / job.total : 1;
        const rate = rates.tilesFolded || 0;
        texts = [Math.floor(100 * part) + ' %', job.state,
          isRunning(ring) && rate > 0 ? `${Math.round(rate)} tiles/s, ${span((job.total
            - job.folded) / rate)} left` : `took ${span(job.wall_seconds)}`];
        if (isRunning(ring) && rate <= 0) texts[2] = job.reason;
      }
      texts.forEach((text, index) => {
        if (drawn.center[index].textContent !== text) drawn.center[index].textContent = text;
      });
    }
    """#
}
