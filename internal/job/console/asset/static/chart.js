// Draws the time series of a page. The numbers are those of the table beside each chart, which is what
// people without JavaScript, or with a screen reader, have.
const colours = ["--bar", "--dim-3", "--dim-0", "--dim-4"];
const style = () => getComputedStyle(document.documentElement);

// clock is a time on the axis: the day where the axis is longer than two. uPlot leaves out some times, as null, and
// has none where there is no room for an axis.
function clock(seconds, scale) {
  if (seconds === null || !Number.isFinite(seconds)) return null;
  const text = new Date(seconds * 1000).toISOString();
  return scale.max - scale.min > 2 * 86400 ? text.slice(5, 10) : text.slice(11, 16);
}

function draw(figure) {
  const table = figure.querySelector("table:not(.u-legend)"); // uPlot has one too
  const place = figure.querySelector(".chart-canvas");
  const heads = [...table.tHead.rows[0].cells].map(cell => cell.textContent.trim());
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 2) { // no curve: the table says it
    figure.querySelector("details")?.setAttribute("open", "");
    return;
  }
  const data = heads.map((_, column) => rows.map(row => {
    const cell = row.cells[column];
    const time = cell.querySelector("time");
    return time ? Date.parse(time.dateTime) / 1000 : Number(cell.querySelector("data").value);
  }));
  const css = style();
  const ink = css.getPropertyValue("--soft").trim(), line = css.getPropertyValue("--line").trim();
  const axis = {stroke: ink, grid: {stroke: line, width: 1}, ticks: {stroke: line}, font: "12px system-ui, sans-serif"};
  place.replaceChildren();
  new uPlot({
    width: place.clientWidth, height: 220, tzDate: at => uPlot.tzDate(new Date(at * 1000), "UTC"),
    axes: [{...axis, values: (plot, at) => at.map(t => clock(t, plot.scales.x))}, {...axis, size: 64}], cursor: {drag: {x: true, y: false}},
    series: [{label: heads[0]}, ...heads.slice(1).map((label, i) => {
      const colour = css.getPropertyValue(colours[i % colours.length]).trim();
      return {label, stroke: colour, width: 2, fill: i === 0 ? colour + "22" : undefined, points: {show: rows.length < 40}};
    })],
  }, data, place);
}

const charts = document.querySelectorAll(".chart");
const all = () => charts.forEach(draw);
all();
let width = window.innerWidth;
window.addEventListener("resize", () => { if (width !== window.innerWidth) { width = window.innerWidth; all(); } });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
