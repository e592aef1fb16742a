extension Dashboard {
  /// What the ring shows, in words; jobs, events and the time line.
  static let scriptOfTables = #"""

    function bytes(count) {
      const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
      let unit = 0;
      while (count >= 1000 && unit < units.length - 1) { count /= 1024; unit += 1; }
      return (unit === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)) + ' ' + units[unit];
    }
    function span(seconds) {
      if (!isFinite(seconds)) return '';
      if (seconds < 10) return seconds.toFixed(2) + ' s';
      if (seconds < 100) return seconds.toFixed(1) + ' s';
      if (seconds < 6000) return Math.round(seconds / 60) + ' min';
      return (seconds / 3600).toFixed(1) + ' h';
    }
    const ago = (ring, seconds) => span(Math.max(0, ring.seconds - seconds)) + ' ago';

    function fill(id, rows, cells) {
      const body = document.getElementById(id);
      const old = [...body.rows];
      rows.forEach((row, index) => {
        const line = old[index] || make(body, 'tr', {});
        cells(row).forEach((cell, column) => {
          const node = line.cells[column] || make(line, 'td', {});
          const text = String(cell.text);
          if (node.textContent !== text) node.textContent = text;
          if (node.className !== (cell.kind || '')) node.className = cell.kind || '';
          if (cell.title !== undefined) node.title = cell.title;
        });
      });
      old.slice(rows.length).forEach((line) => line.remove());
    }

    function showWorkers(ring, rates) {
      const ranks = new Map();
      for (const rank of ring.job ? ring.job.ranks : []) {
        if (!ranks.has(rank.worker)) ranks.set(rank.worker, []);
        ranks.get(rank.worker).push(`${rank.vrank}: ${rank.next}/${rank.needed}`
          + (rank.is_final ? ' ✓' : ''));
      }
      fill('workers', places(ring), (place) => {
        const state = standing(place, ring);
        const kind = { lost: 'bad-text', straggler: 'warn-text', draining: 'warn-text',
          cordoned: 'warn-text', gone: 'dim', idle: 'dim' }[state] || '';
        const worker = place.worker;
        if (!worker) {
          return [{ text: place.name }, { text: state, kind },
            { text: `${place.gone.reason}, ${ago(ring, place.gone.seconds)}`, kind: 'ranks' },
            ...Array(6).fill({ text: '' })];
        }
        const rate = rates.get(place.name) || { tiles: 0, copies: 0 };
        const time = worker.compute_seconds + worker.wait_seconds;
        const stuck = worker.stuck_seconds > 0.5;
        return [{ text: place.name }, { text: state, kind },
          { text: (ranks.get(place.name) || []).join(', ') || '–', kind: 'ranks' },
          { text: bytes(rate.tiles) + '/s', kind: 'n' },
          { text: bytes(rate.copies) + '/s', kind: 'n' },
          { text: time > 0 ? (100 * worker.wait_seconds / time).toFixed(1) + ' %' : '–', kind: 'n' },
          { text: stuck ? `stuck ${span(worker.stuck_seconds)}` : span(worker.silent_seconds),
            kind: stuck || worker.silent_seconds > 0.5 ? 'n bad-text' : 'n' },
          { text: bytes(worker.resident_peak_bytes), kind: 'n',
            title: 'of ' + bytes(worker.memory_bytes) },
          { text: worker.machine, title: `${worker.threads} threads, ${worker.level}` }];
      });
    }

    function showJobs(ring) {
      fill('jobs', ring.jobs.slice(0, 20), (job) => [
        { text: job.name || job.id.slice(0, 12), kind: 'mono', title: job.id },
        { text: job.state + (job.reason ? `: ${short(job.reason, 60)}` : ''),
          kind: job.state === 'failed' ? 'bad-text' : job.state === 'done' ? 'ok-text' : '',
          title: job.reason },
        { text: job.total > 0 ? Math.floor(100 * job.folded / job.total) + ' %' : '–', kind: 'n' },
        { text: job.wall_seconds > 0 ? span(job.wall_seconds) : '–', kind: 'n' },
        { text: job.client }]);
    }

    function showJob(ring) {
      const box = document.getElementById('job');
      const job = ring.job;
      if (!job) {
        box.textContent = 'No job has run yet. attnmesh attend and attnmesh submit start one.';
        return;
      }
      if (!box.firstElementChild || box.dataset.job !== job.id) {
        box.replaceChildren();
        box.dataset.job = job.id;
        make(box, 'progress', { max: 1, 'aria-label': 'tiles folded' });
        make(box, 'dl', {});
      }
      box.firstElementChild.value = job.total > 0 ? job.folded / job.total : 1;
      const failing = ['none', 'disk only', 'peer only, disk failing'].some((name) => job.protection.startsWith(name));
      const rows = [
        ['id', job.id, 'mono'], ['state', job.state + (job.reason ? ': ' + job.reason : ''),
          job.state === 'failed' ? 'bad-text' : ''],
        ['tensors', job.shape], ['client', job.client],
        ['tiles', `${job.folded} of ${job.total} in ${job.ranks.length} ranks`],
        ['wall', span(job.wall_seconds)]];
      if (isRunning(ring)) {
        rows.push(['protection', job.protection, failing ? 'warn-text' : ''],
          ['at risk', `${job.unprotected_tiles} tiles would be folded again`]);
      }
      describe(box.lastElementChild, rows);
    }

    function describe(list, rows) {
      while (list.children.length > 2 * rows.length) list.lastElementChild.remove();
      rows.forEach(([name, text, kind], index) => {
        const term = list.children[2 * index] || make(list, 'dt', {});
        const detail = list.children[2 * index + 1] || make(list, 'dd', {});
        if (term.textContent !== name) term.textContent = name;
        if (detail.textContent !== String(text)) detail.textContent = text;
        detail.className = kind || '';
      });
    }

    const BAD = ['worker-lost', 'job-failed', 'store-alarm', 'checkpoint-alarm',
      'keys-unreadable'];
    const WARN = ['straggler', 'coordinator-late', 'worker-draining', 'worker-refused',
      'worker-left', 'access-refused'];

    function showEvents(ring) {
      const list = document.getElementById('events');
      const newest = ring.events.slice(-60).reverse();
      const key = ring.term + ':' + (newest[0] ? newest[0].number : 0);
      if (list.dataset.key !== key) {
        list.dataset.key = key;
        list.replaceChildren();
        for (const event of newest) {
          const line = make(list, 'li', { 'data-kind': event.kind });
          make(line, 'span', { class: 'when', 'data-at': event.seconds, title: event.time });
          make(line, 'span', { class: BAD.includes(event.kind) ? 'bad-text'
            : WARN.includes(event.kind) ? 'warn-text'
            : event.kind === 'restored' ? 'restore-text' : '' }, ' ' + event.kind);
          const what = [event.worker, event.vrank === undefined ? '' : 'rank ' + event.vrank,
            event.detail].filter((text) => text).join(' · ');
          make(line, 'span', {}, ' ' + what);
        }
      }
      for (const when of list.querySelectorAll('.when')) {
        when.textContent = ago(ring, Number(when.dataset.at));
      }
    }

    // Ranks that went on elsewhere, by the loss or hand-over that moved them.
    function departures(ring) {
      const groups = new Map();
      for (const one of ring.job ? ring.job.recoveries : []) {
        const key = one.from + ' ' + one.seconds.toFixed(2);
        if (!groups.has(key)) groups.set(key, { ...one, ranks: [], hosts: new Set() });
        const group = groups.get(key);
        group.ranks.push(one);
        group.hosts.add(one.to);
      }
      return [...groups.values()].map((group) => {
        const most = (name) => group.ranks.some((one) => one[name] === undefined) ? undefined
          : Math.max(...group.ranks.map((one) => one[name]));
        return { ...group, hosts: [...group.hosts].filter((host) => host),
          restore: most('restore_seconds'), caught: most('caught_up_seconds'),
          again: group.ranks.reduce((sum, one) => sum + (one.restored_at_tile === undefined ? 0
            : Math.max(0, one.lost_at_tile - one.restored_at_tile)), 0) };
      });
    }

    function showStory(ring) {
      const groups = departures(ring).reverse();
      const list = document.getElementById('story');
      const told = new Set(groups.map((group) => group.from));
      const other = ring.departed.filter((one) => one.is_lost && !told.has(one.name)).reverse();
      if (groups.length + other.length === 0) {
        list.replaceChildren();
        make(list, 'li', { class: 'dim' }, 'Nothing was lost.');
        return;
      }
      list.replaceChildren();
      for (const group of groups.slice(0, 40)) {
        const isLoss = group.cause !== 'handed over';
        const line = make(list, 'li', { 'data-recovery': group.from });
        make(line, 'span', { class: 'when' }, ago(ring, group.seconds));
        make(line, 'strong', { class: isLoss ? 'bad-text' : 'warn-text' },
          ` ${group.from} ${isLoss ? 'lost' : 'relieved'}`);
        make(line, 'span', {}, isLoss ? `: ${group.cause}. ` : '. ');
        const ranks = group.ranks.map((one) => one.vrank).join(', ');
        const sources = [...new Set(group.ranks.map((one) => one.source).filter((one) => one))]
          .map((one) => one === 'recomputed' ? 'the start' : one);
        make(line, 'span', {}, `Ranks ${ranks} went to ${group.hosts.join(', ') || 'nobody yet'}`
          + (sources.length ? ` from ${sources.join(' and ')}` : '') + '; ');
        if (group.caught !== undefined) {
          make(line, 'span', { class: 'ok-text' },
            `recovered after ${span(group.caught)}, ${group.again} tiles folded again.`);
        } else {
          const missing = group.ranks.filter((one) => !one.source).map((one) => one.outcome);
          make(line, 'span', { class: 'restore-text' }, group.restore !== undefined
            ? `state back after ${span(group.restore)}, catching up.`
            : missing.length === 0 || missing.includes('looking') ? 'looking for their state.'
            : `${[...new Set(missing)].join(', ')}.`);
        }
      }
      for (const one of other.slice(0, 10)) {
        const line = make(list, 'li', { 'data-lost': one.name });
        make(line, 'span', { class: 'when' }, ago(ring, one.seconds));
        make(line, 'strong', { class: 'bad-text' }, ` ${one.name} lost`);
        make(line, 'span', {}, `: ${one.reason}. It hosted nothing of this job.`);
      }
    }

    const MARKS = { 'worker-lost': 'm-lost', 'job-failed': 'm-lost', 'store-alarm': 'm-lost',
      'checkpoint-alarm': 'm-warn', straggler: 'm-warn', 'coordinator-late': 'm-warn',
      'worker-draining': 'm-warn', 'worker-joined': 'm-join', 'job-started': 'm-job',
      'job-done': 'm-job', 'coordinator-restarted': 'm-warn' };

    function drawLine(ring) {
      const root = document.getElementById('line');
      const width = Math.max(300, root.clientWidth || 600);
      root.setAttribute('viewBox', `0 0 ${width} 150`);
      root.replaceChildren();
      const groups = departures(ring).slice(-5);
      const end = ring.seconds;
      const started = ring.job ? ring.job.started_at : end;
      const start = Math.min(end - 12, Math.max(started - 2, end - 600));
      const x = (seconds) => 6 + (width - 12) * (Math.max(seconds, start) - start) / (end - start);
      make(root, 'line', { class: 'axis', x1: 0, x2: width, y1: 128, y2: 128 });
      const tick = [2, 5, 10, 30, 60, 120, 300].find((one) => (end - start) / one <= 7) || 600;
      for (let back = 0; back <= end - start; back += tick) {
        const place = x(end - back);
        make(root, 'line', { class: 'axis', x1: place, x2: place, y1: 8, y2: 132 });
        if (place > 24) make(root, 'text', { x: place, y: 146,
          'text-anchor': back === 0 ? 'end' : 'middle' }, back === 0 ? 'now' : `−${back} s`);
      }
      groups.forEach((group, index) => {
        const y = 10 + 20 * index;
        const bar = (kind, from, to) => make(root, 'rect', { class: kind, x: x(from), y, rx: 2,
          width: Math.max(2, x(to) - x(from)), height: 12 });
        const found = group.seconds;
        const ready = group.restore === undefined ? end : found + group.restore;
        const done = group.caught === undefined ? end : found + group.caught;
        if (done < start) return;
        bar('caught', ready, done);
        bar('restoring', found, ready);
        bar('detect', found - group.detection_seconds, found);
        const right = x(done) + 5;
        const isLate = right > width - 190;
        const text = group.cause === 'handed over' ? 'relieved' : 'lost';
        make(root, 'text', { class: 'who', y: y + 10,
          x: isLate ? x(found - group.detection_seconds) - 5 : right,
          'text-anchor': isLate ? 'end' : 'start' },
          `${short(group.from, 16)} ${text}` + (group.caught === undefined ? ''
            : `, back in ${span(group.caught)}`));
      });
      for (const event of ring.events) {
        const kind = MARKS[event.kind];
        if (!kind || event.seconds < start) continue;
        const place = x(event.seconds);
        const mark = make(root, 'path', { class: 'mark ' + kind,
          d: kind === 'm-lost' ? `M ${place - 5} 118 l 10 0 l -5 9 z`
            : kind === 'm-job' ? `M ${place} 110 l 0 18`
            : kind === 'm-warn' ? `M ${place} 116 l 5 5 l -5 5 l -5 -5 z`
            : `M ${place - 4} 127 l 8 0 l -4 -8 z` });
        make(mark, 'title', {},
          [event.kind, event.worker, event.detail].filter((one) => one).join(' '));
      }
    }
    """#
}
