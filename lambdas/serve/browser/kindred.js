/* kindred.js tells kindred what a visitor does, and shows recommendations. docs/your-shop.md describes it.
   Without consent it sends nothing and stores nothing. */
(() => {
  const script = document.currentScript, options = script.dataset;
  const base = script.src.replace(/[^/]*$/, ""), storage = "kindred", idle = 18e5, remembered = 20,
    fields = "name,url,image", most = 8;
  let allowed = options.consent === "yes", customer = options.customer, placements = true, visit, waiting;

  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), b => (b + 256).toString(16).slice(1)).join("");

  // The visit: its id, what was looked at, and by which recommendation. It ends after 30 minutes without a click.
  const load = () => {
    try { visit = JSON.parse(localStorage.getItem(storage)) || visit; } catch { /* no storage: it ends with the page */ }
    if (!visit || !(Date.now() - visit.at < idle)) visit = { id: random(), seen: [], by: {} };
    return visit;
  };
  const save = () => {
    visit.at = Date.now();
    try { localStorage.setItem(storage, JSON.stringify(visit)); } catch { /* as above */ }
  };

  const address = (path, parameters) => {
    const query = new URLSearchParams(parameters);
    if (options.key) query.set("key", options.key);
    return base + path + "?" + query;
  };
  const strips = () => document.querySelectorAll("kindred-strip").forEach(strip => strip.refresh());

  const say = (kind, product, more = {}) => {
    if (!allowed) return;
    const code = String(product), { id, by } = load();
    const event = { type: "interaction", event_id: random(), session_id: id, kind, product_code: code,
      quantity: more.quantity, value: more.value, recommendation_id: more.recommendation_id || by[code] };
    if (customer) event.customer_number = customer;
    if (event.recommendation_id) by[code] = event.recommendation_id;
    visit.seen = visit.seen.filter(other => other !== code);
    if (kind !== "remove") visit.seen.push(code);
    visit.seen.splice(0, visit.seen.length - remembered).forEach(old => delete by[old]);
    save();
    const url = address("events"), body = JSON.stringify(event);
    if (!(navigator.sendBeacon && navigator.sendBeacon(url, body)))
      fetch(url, { method: "POST", body, keepalive: true }).catch(() => {});
    strips();
  };

  const body = async answer => answer.ok ? answer.json() : undefined;
  const post = (products, kindred) => {
    const event = { session_id: load().id, continues_session: true, kindred: { fields: fields.split(","), ...kindred },
      browse_history: products.map(product_code => ({ product_code })) };
    if (customer) event.customer_number = customer;
    save();
    return fetch(address("recommendations"), { method: "POST", body: JSON.stringify(event),
      headers: { "Content-Type": "application/json" } });
  };

  // A strip without a placement asks by itself.
  const alone = async strip => {
    const limit = +strip.getAttribute("limit") || 6, product = strip.getAttribute("product"), { id, seen } = load();
    save();
    return body(await (product ? fetch(address(`products/${encodeURIComponent(product)}/similar`,
      { limit, session_id: id, fields })) : post(seen, { limit })));
  };

  // The strips with a placement ask together, so that no product is in two of them.
  const placed = strip => new Promise((done, fail) => {
    if (!waiting) {
      waiting = [];
      if (document.readyState === "loading") addEventListener("DOMContentLoaded", together, { once: true });
      else setTimeout(together);
    }
    waiting.push({ strip, done, fail, name: strip.getAttribute("placement") });
  });
  const together = async () => {
    const all = waiting, names = [...new Set(all.map(w => w.name))].slice(0, most);
    waiting = undefined;
    try {
      const about = all.map(w => w.strip.getAttribute("product")).filter(product => product);
      const answer = allowed && await post(load().seen.filter(seen => !about.includes(seen)).concat(about),
        { placements: names });
      // This server knows no placements, or not one of these.
      if (answer && [400, 422].includes(answer.status)) placements = false;
      const { strips = [] } = answer && await body(answer) || {};
      all.forEach(w => w.done(placements ? strips[names.indexOf(w.name)] : alone(w.strip)));
    } catch (fault) { all.forEach(w => w.fail(fault)); }
  };

  const link = (item, strip) => {
    const a = document.createElement("a"), pattern = strip.getAttribute("href") || "#{id}";
    const { name, url, image } = item.product || {};
    a.href = /^https?:/.test(url) ? url : pattern.replace("{id}", encodeURIComponent(item.id));
    if (image) a.append(Object.assign(new Image(), { src: image, alt: "", loading: "lazy" }));
    a.append(name || item.id);
    return a;
  };

  customElements.define("kindred-strip", class extends HTMLElement {
    connectedCallback() { this.refresh(); }
    async refresh() {
      if (!allowed) return;
      const turn = this.turn = {};
      try {
        const got = await (placements && this.getAttribute("placement") ? placed(this) : alone(this));
        if (!got || this.turn !== turn || !allowed) return; // refused, or a later one is under way
        const recommendation_id = got.recommendation_id || (got.recommendation || {}).id || undefined;
        const items = (got.recommended_items || got.similar_items || []).slice(0, +this.getAttribute("limit") || undefined);
        this.replaceChildren(...items.map(item => {
          const shown = (kindred.render || link)(item, this);
          shown.addEventListener("click", () => say("view", item.id, { recommendation_id }));
          return shown;
        }));
        this.dispatchEvent(new CustomEvent("kindred", { bubbles: true, detail: { items, recommendation_id } }));
      } catch { /* the page stays as it is */ }
    }
  });

  const kindred = window.kindred = {
    view: (product, more) => say("view", product, more),
    cart: (product, more) => say("cart", product, more),
    remove: (product, more) => say("remove", product, more),
    purchase: (product, more) => say("purchase", product, more),
    customer: id => { customer = id; strips(); },
    consent: yes => {
      allowed = yes;
      if (yes) return strips();
      visit = undefined;
      try { localStorage.removeItem(storage); } catch { /* nothing was stored */ }
    },
    refresh: strips,
  };
})();
