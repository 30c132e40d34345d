// Draws a table as a chart. The table is the truth: what the canvas shows is read from it.
(() => {
  "use strict";
  const SERIES = 8;
  const drawn = new Map();
  let library = null;

  function load(url) {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = () => resolve(window.Chart);
      script.onerror = reject;
      document.head.append(script);
    });
    return library;
  }

  function colour(token) {
    const probe = document.createElement("span");
    probe.className = "visually-hidden";
    probe.style.color = `var(${token})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  }

  function faded(value, share) {
    return value.replace(/^rgb\((.*)\)$/, (_, parts) => `rgba(${parts}, ${share})`);
  }

  function number(cell) {
    const raw = cell?.dataset.value ?? cell?.textContent.replace(/[^0-9.-]/g, "") ?? "";
    return raw === "" ? null : Number(raw);
  }

  function read(table) {
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...table.tBodies[0].rows].filter((row) => row.dataset.chart !== "skip");
    const columns = heads.map((head, index) => ({ head, index })).filter(({ head, index }) => index > 0 && head.dataset.chart !== "skip");
    return {
      labels: rows.map((row) => row.cells[0].dataset.short ?? row.cells[0].textContent.trim()),
      series: columns.map(({ head, index }) => ({ name: head.textContent.trim(), values: rows.map((row) => number(row.cells[index])) })),
    };
  }

  const WRITERS = {
    usd: (value) => "$" + value.toLocaleString("en-US", value !== 0 && Math.abs(value) < 0.01 ? { maximumSignificantDigits: 2 } : { minimumFractionDigits: Math.abs(value) < 100 && value % 1 ? 2 : 0, maximumFractionDigits: 2 }),
    count: (value) => value.toLocaleString("en-US", { notation: "compact" }),
    ms: (value) => `${Math.round(value).toLocaleString("en-US")} ms`,
    percent: (value) => `${value} %`,
  };

  function datasets(series, canvas) {
    const line = canvas.dataset.chartKind === "line";
    return series.map(({ name, values }, index) => {
      const tone = colour(`--at-series-${(index % SERIES) + 1}`);
      return {
        label: name, data: values, borderColor: tone, backgroundColor: line ? faded(tone, 0.12) : tone, borderWidth: line ? 2 : 0,
        fill: line && series.length === 1, tension: 0.25, pointRadius: line && values.length > 20 ? 0 : 2.5, pointHitRadius: 12,
        borderRadius: 3, maxBarThickness: 34, categoryPercentage: 0.82, barPercentage: 0.92,
      };
    });
  }

  function options(canvas, series) {
    const write = WRITERS[canvas.dataset.chartUnit] ?? WRITERS.count;
    const stacked = "chartStacked" in canvas.dataset;
    const ink = colour("--at-ink-2");
    const line = colour("--at-line");
    const font = { family: getComputedStyle(document.body).fontFamily, size: 12 };
    return {
      responsive: true, maintainAspectRatio: false, animation: false, interaction: { mode: "index", intersect: false },
      scales: {
        x: { stacked, grid: { display: false }, border: { color: line }, ticks: { color: ink, font, maxRotation: 0, autoSkipPadding: 18 } },
        y: { stacked, beginAtZero: true, grid: { color: line }, border: { display: false }, ticks: { color: ink, font, maxTicksLimit: 6, callback: write } },
      },
      plugins: {
        legend: { display: series.length > 1, position: "top", align: "start", labels: { color: ink, font, boxWidth: 10, boxHeight: 10, useBorderRadius: true, borderRadius: 2, padding: 14 } },
        tooltip: {
          backgroundColor: colour("--at-night"), titleColor: colour("--at-night-ink"), bodyColor: colour("--at-night-ink"), titleFont: font, bodyFont: font,
          padding: 10, cornerRadius: 8, boxPadding: 4, filter: (item) => !stacked || item.raw !== 0,
          callbacks: { label: (item) => ` ${item.dataset.label}: ${write(item.raw ?? 0)}` },
        },
      },
    };
  }

  async function draw(canvas) {
    const table = document.querySelector(canvas.dataset.chartSource);
    if (!table?.tHead || !table.tBodies[0]?.rows.length) return;
    const Chart = await load(canvas.dataset.chartLibrary);
    const { labels, series } = read(table);
    canvas.closest("[data-chart-frame]").hidden = false;
    drawn.get(canvas)?.destroy();
    drawn.set(canvas, new Chart(canvas, {
      type: canvas.dataset.chartKind === "line" ? "line" : "bar",
      data: { labels, datasets: datasets(series, canvas) },
      options: options(canvas, series),
    }));
  }

  function drawAll() {
    for (const [canvas, chart] of drawn) {
      if (canvas.isConnected) continue;
      chart.destroy();
      drawn.delete(canvas);
    }
    for (const canvas of document.querySelectorAll("canvas[data-chart]")) draw(canvas).catch(() => {});
  }

  document.addEventListener("DOMContentLoaded", drawAll);
  document.addEventListener("atrium:theme", drawAll);
  document.addEventListener("htmx:afterSettle", drawAll);
})();
