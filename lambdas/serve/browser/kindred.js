/* kindred.js tells kindred what a visitor does, and shows recommendations. docs/your-shop.md describes it.
   Without consent it sends nothing and stores nothing. */
(() => {
  const script = document.currentScript, options = script.dataset;
  const base = script.src.replace(/[^/]*$/, ""), storage = "kindred", idle = 18e5, remembered = 20, fields = "name,url,image";
  let allowed = options.consent === "yes", customer = options.customer, placements = true, visit;

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

  const ask = async (strip, withPlacement) => {
    const limit = +strip.getAttribute("limit") || 6, product = strip.getAttribute("product"), { id, seen } = load();
    save();
    const placement = withPlacement && strip.getAttribute("placement");
    if (product && !placement)
      return fetch(address(`products/${encodeURIComponent(product)}/similar`, { limit, session_id: id, fields }));
    const event = { session_id: id, continues_session: true, kindred: { limit, fields: fields.split(",") },
      browse_history: seen.map(product_code => ({ product_code })) };
    if (placement) event.kindred.placement = placement;
    if (customer) event.customer_number = customer;
    const answer = await fetch(address("recommendations"), { method: "POST", body: JSON.stringify(event),
      headers: { "Content-Type": "application/json" } });
    if (answer.status !== 422 || !placement) return answer;
    placements = false; // this server knows none, or not this one
    return ask(strip, false);
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
        const answer = await ask(this, placements);
        if (!answer.ok) return;
        const got = await answer.json();
        if (this.turn !== turn || !allowed) return; // a later one is under way
        const recommendation_id = got.recommendation_id || (got.recommendation || {}).id || undefined;
        const items = got.recommended_items || got.similar_items || [];
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
