extension Dashboard {
  /// Asks for the state several times a second, and says when nobody answers.
  static let scriptOfPage = #"""

    let before = null;
    let rates = new Map();
    let heardAt = performance.now();
    let heardOnce = false;

    // What workers send a second, smoothed over about a second.
    function measure(ring) {
      const sample = { seconds: ring.seconds - ring.age_seconds, term: ring.term,
        folded: ring.tiles_folded,
        sent: new Map(ring.workers.map((one) => [one.name, one])) };
      const passed = before ? sample.seconds - before.seconds : 0;
      if (!before || before.term !== sample.term || passed < 0) {
        before = sample;
        rates = new Map();
        return;
      }
      if (passed < 0.2) return;
      const weight = Math.min(1, passed);
      const mix = (old, now) => {
        const value = (1 - weight) * (old || 0) + weight * Math.max(0, now) / passed;
        return value < 1 ? 0 : value;
      };
      const next = new Map();
      for (const [name, worker] of sample.sent) {
        const last = before.sent.get(name) || worker;
        const old = rates.get(name) || {};
        next.set(name, { tiles: mix(old.tiles, worker.tile_bytes - last.tile_bytes),
          copies: mix(old.copies, worker.copy_bytes - last.copy_bytes) });
      }
      next.tilesFolded = mix(rates.tilesFolded, sample.folded - before.folded);
      rates = next;
      before = sample;
    }

    function showFacts(ring) {
      const rows = [['workers', ring.workers.length], ['queued', ring.queue_length],
        ['up', span(ring.seconds)],
        ['store', `${bytes(ring.store_used_bytes)} of ${bytes(ring.store_quota_bytes)}`],
        ['loop late by', span(ring.loop_lag_seconds)]];
      const list = document.getElementById('facts');
      while (list.children.length < rows.length) {
        const pair = make(list, 'div', {});
        make(pair, 'dt', {});
        make(pair, 'dd', {});
      }
      rows.forEach(([name, value], index) => {
        list.children[index].children[0].textContent = name;
        list.children[index].children[1].textContent = value;
      });
    }

    function say(state, kind, banner) {
      const pill = document.getElementById('state');
      if (pill.textContent !== state) pill.textContent = state;
      pill.className = 'pill ' + kind;
      const box = document.getElementById('banner');
      if (box.textContent !== banner) box.textContent = banner;
      box.hidden = banner === '';
    }

    function show(ring) {
      measure(ring);
      drawRing(ring, rates);
      showWorkers(ring, rates);
      showJobs(ring);
      showJob(ring);
      showEvents(ring);
      showStory(ring);
      drawLine(ring);
      showFacts(ring);
      if (ring.problem) say('not healthy', 'bad', ring.problem);
      else if (ring.not_ready) say('not ready', 'warn', '');
      else say('healthy', 'ok', '');
      document.title = (ring.job && isRunning(ring) && ring.job.total > 0
        ? Math.floor(100 * ring.job.folded / ring.job.total) + ' % ' : '') + 'attnmesh';
    }

    function showSilence() {
      const seconds = (performance.now() - heardAt) / 1000;
      if (seconds < 1) return;
      document.body.classList.add('stale');
      say('no answer', 'bad', `The coordinator has not answered for ${span(seconds)}.`
        + (heardOnce ? ' What is shown is as old as that. Workers go on folding without it.' : ''));
      document.title = 'no answer – attnmesh';
    }

    async function ask() {
      const patience = new AbortController();
      const timer = setTimeout(() => patience.abort(), 900);
      try {
        const answer = await fetch('/ring.json', { signal: patience.signal, cache: 'no-store' });
        if (!answer.ok) throw new Error(String(answer.status));
        const ring = await answer.json();
        heardAt = performance.now();
        heardOnce = true;
        document.body.classList.remove('stale');
        show(ring);
      } catch (error) {
        if (error instanceof TypeError === false && error.name !== 'AbortError') {
          console.error(error);
        }
        showSilence();
      } finally {
        clearTimeout(timer);
        setTimeout(ask, 250);
      }
    }
    ask();
    """#
}
