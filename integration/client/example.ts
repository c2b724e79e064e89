import createClient from "openapi-fetch";
import type { paths } from "./kindred.js";

// A strip for a customer, and what the customer did with its first product.
export async function home(baseUrl: string, key: string, customer: string) {
  const kindred = createClient<paths>({ baseUrl, headers: { "X-Kindred-Key": key } });
  const { data, error } = await kindred.GET("/customers/{id}/recommendations", {
    params: { path: { id: customer }, query: { limit: 6, fields: ["name", "price", "reason"] } },
  });
  if (error) throw new Error(error.detail);
  const first = data.recommended_items[0];
  if (first && data.recommendation_id) {
    await kindred.POST("/events", {
      body: {
        type: "interaction",
        kind: "view",
        customer_number: customer,
        product_code: first.id,
        recommendation_id: data.recommendation_id,
      },
    });
  }
  return data;
}
