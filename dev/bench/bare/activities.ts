/** Steps that do nothing: what is left is what Temporal itself takes for three activities. */
export async function first(): Promise<void> {}
export async function second(): Promise<void> {}
export async function third(): Promise<void> {}
