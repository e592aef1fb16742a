extension Dashboard {
  static let content = #"""
    <header>
    <h1>attnmesh</h1>
    <p id="state" class="pill" role="status">connecting</p>
    <dl id="facts"></dl>
    </header>
    <p id="banner" role="alert" hidden></p>
    <noscript><p>This page needs JavaScript; /metrics and /ring.json don't.</p></noscript>
    <main>
    <section id="ring-panel" aria-labelledby="ring-title">
    <h2 id="ring-title">Ring</h2>
    <svg id="ring" viewBox="0 0 760 640" role="img"
     aria-label="Workers around a circle with the progress of their ranks; the table Workers tells
     the same."></svg>
    <ul class="legend" aria-label="Legend">
    <li><i class="k-fold"></i>folded</li><li><i class="k-copy"></i>copied: survives a loss</li>
    <li><i class="k-restore"></i>goes on after a loss</li><li><i class="k-final"></i>final</li>
    <li><i class="k-slow"></i>straggler</li><li><i class="k-lost"></i>lost</li>
    <li><i class="k-flow"></i>tiles on their way</li>
    </ul>
    </section>
    <div class="side">
    <section aria-labelledby="job-title">
    <h2 id="job-title">Job</h2>
    <div id="job"></div>
    </section>
    <section aria-labelledby="story-title">
    <h2 id="story-title">Failures and recoveries</h2>
    <svg id="line" role="img" aria-label="Time line; the list below tells the same."></svg>
    <ol id="story"></ol>
    </section>
    </div>
    <section class="wide" aria-labelledby="workers-title">
    <h2 id="workers-title">Workers</h2>
    <div class="scroll"><table><thead><tr>
    <th scope="col">worker</th><th scope="col">standing</th><th scope="col">ranks: tile of tiles</th>
    <th scope="col" class="n">sends tiles</th><th scope="col" class="n">sends copies</th>
    <th scope="col" class="n">waits</th><th scope="col" class="n">heard</th>
    <th scope="col" class="n">peak memory</th><th scope="col">machine</th>
    </tr></thead><tbody id="workers"></tbody></table></div>
    </section>
    <section aria-labelledby="jobs-title">
    <h2 id="jobs-title">Jobs</h2>
    <div class="scroll"><table><thead><tr>
    <th scope="col">job</th><th scope="col">state</th><th scope="col" class="n">folded</th>
    <th scope="col" class="n">wall</th><th scope="col">client</th>
    </tr></thead><tbody id="jobs"></tbody></table></div>
    </section>
    <section aria-labelledby="events-title">
    <h2 id="events-title">Events</h2>
    <ol id="events" class="scroll"></ol>
    </section>
    </main>
    <footer>Read only. <a href="/metrics">/metrics</a> <a href="/healthz">/healthz</a>
    <a href="/readyz">/readyz</a> <a href="/ring.json">/ring.json</a></footer>
    """#
}
