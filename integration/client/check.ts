// Asks a running serve with the client that is made from its own description. The compiler checks the types; the
// assertions check the answers. The last line says what the test is to find on the streams.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import { home } from "./example.js";
import type { components, paths } from "./kindred.js";

const [baseUrl, key] = process.argv.slice(2);
assert(baseUrl && key);
const kindred = createClient<paths>({ baseUrl, headers: { "X-Kindred-Key": key } });

// must is the answer, which the caller expects to be no problem.
function must<T>({ data, response }: { data?: T; response: Response }): T {
  assert(data !== undefined, `${response.url}: ${response.status}`);
  return data;
}

const strip = await home(baseUrl, key, "101");
assert.equal(strip.recommended_items.length, 6);
assert.equal(strip.source, "customer");
for (const item of strip.recommended_items) {
  assert(item.product?.name?.startsWith("Product "), item.id);
  assert(item.reason?.text);
}

// Parameters that repeat, page by page.
const question = { limit: 3, exclude: [strip.recommended_items[0]!.id], boost: ['2:product.id == "L1_07"', "0.5:product.stock > 100"] };
type Query = NonNullable<paths["/customers/{id}/recommendations"]["get"]["parameters"]["query"]>;
const ask = (query: Query) =>
  kindred.GET("/customers/{id}/recommendations", { params: { path: { id: "101" }, query } }).then(must);
const first = await ask(question);
assert(first.cursor);
const second = await ask({ ...question, cursor: first.cursor });
const shown = [...first.recommended_items, ...second.recommended_items].map((item) => item.id);
assert.equal(new Set(shown).size, 6);
assert(!shown.includes(question.exclude[0]!));

// An id with characters that mean something in an address.
const odd = await kindred.GET("/customers/{id}/recommendations", { params: { path: { id: "a/b?c=d&e f%" } } }).then(must);
assert.equal(odd.customer_number, "a/b?c=d&e f%");
assert.equal(odd.unknown_customer, true);

// The lists.
for (const list of ["popular", "trending", "new"] as const) {
  const answer = await kindred.GET("/lists/{list}", { params: { path: { list }, query: { limit: 2, fields: ["name", "reason"] } } }).then(must);
  assert(answer.recommended_items.length <= 2);
  if (list === "popular") {
    assert.equal(answer.source, "popularity");
    assert.equal(answer.recommended_items[0]?.reason?.key, "popular");
  }
}
const alike = await kindred.GET("/products/{code}/similar", { params: { path: { code: "L2_03" }, query: { limit: 4 } } }).then(must);
assert.equal(alike.similar_items.length, 4);
await kindred.GET("/products/{code}/bought-together", { params: { path: { code: "L2_03" } } }).then(must);
await kindred.GET("/customers/{id}/recently-viewed", { params: { path: { id: "101" } } }).then(must);
await kindred.GET("/sessions/{id}/recently-viewed", { params: { path: { id: "s-1" } } }).then(must);

// A session, with a field of the shop's own, which the record repeats.
const record = await kindred.POST("/recommendations", {
  body: {
    session_id: "s-1",
    browse_history: [{ product_code: "L2_03", quantity: 1, in_shopping_cart: false }],
    kindred: { limit: 4, filter: 'product.id.startsWith("L2")', diversity: { mmr: 0.7 }, fields: ["name"] },
    device: { os: "x" },
  },
}).then(must);
assert("recommended_items" in record); // no placements were asked for
assert.equal(record.recommendation.source, "session");
assert.deepEqual(record["device"], { os: "x" });
assert(record.recommended_items.length > 0);
const ordered = await kindred.POST("/rerank", {
  body: { session_id: "s-1", browse_history: [{ product_code: "L2_03" }], products: ["L1_01", "L2_04", 7] },
}).then(must);
assert.equal(ordered.recommended_items[0]?.id, "L2_04");
assert.deepEqual(ordered.unknown_items, ["7"]);

// Events: one, several, and one that breaks a rule.
const recommendation = record.recommendation.id;
assert(recommendation);
const view: components["schemas"]["InteractionEvent"] = {
  type: "interaction", kind: "view", session_id: "s-1", product_code: record.recommended_items[0]!.id, recommendation_id: recommendation,
};
const sent = await kindred.POST("/events", { body: { ...view, event_id: "seen-1" } });
assert.equal(sent.response.status, 202);
assert.deepEqual(must(sent), { accepted: 1, events: [{ event_id: "seen-1", status: 202 }] });
const several = await kindred.POST("/events", {
  body: [
    { type: "product", product_code: "L2_04", stock: 3, price: "19.90", attributes: { colour: "red" } },
    { type: "customer", customer_number: 101, hide: ["L1_05"] },
    { ...view, occurred_at: "1969-01-01T00:00:00Z" },
  ],
});
assert.equal(several.response.status, 207);
assert.deepEqual(must(several).events.map((event) => event.status), [202, 202, 422]);

// Problems say what is wrong.
const unknown = await kindred.GET("/products/{code}/similar", { params: { path: { code: "nothing" } } });
assert.equal(unknown.response.status, 404);
assert.equal(unknown.response.headers.get("Content-Type"), "application/problem+json");
assert.equal(unknown.error?.status, 404);
assert(unknown.error.detail);
const wrong = await kindred.GET("/lists/{list}", { params: { path: { list: "popular" }, query: { limit: 101 } } });
assert.match(wrong.error?.detail ?? "", /limit/);
const refused = await kindred.POST("/recommendations", { body: { session_id: "", browse_history: [] } });
assert.equal(refused.error?.reason, "schema");
const stranger = await createClient<paths>({ baseUrl }).GET("/lists/{list}", { params: { path: { list: "popular" } } });
assert.equal(stranger.response.status, 401);
assert(stranger.error?.detail);
assert.equal((await kindred.GET("/health").then(must)).status, "ok");

// What the compiler refuses: were one of these allowed, the line above it would be an error.
export const refusals = () => [
  // @ts-expect-error there is no such list
  kindred.GET("/lists/{list}", { params: { path: { list: "cheap" } } }),
  // @ts-expect-error a limit is a number
  kindred.GET("/lists/{list}", { params: { path: { list: "new" }, query: { limit: "3" } } }),
  // @ts-expect-error there is no such field
  kindred.GET("/lists/{list}", { params: { path: { list: "new" }, query: { fields: ["colour"] } } }),
  // @ts-expect-error a visitor's view has a product
  kindred.POST("/events", { body: { type: "interaction", kind: "view", session_id: "s-1" } }),
  // @ts-expect-error there is no such kind of interaction
  kindred.POST("/events", { body: { type: "interaction", kind: "look", session_id: "s-1", product_code: "L2_03" } }),
  // @ts-expect-error a session has a history
  kindred.POST("/recommendations", { body: { session_id: "s-1" } }),
];

console.log(JSON.stringify({ recommendation, event: "seen-1", strip: strip.recommendation_id }));
