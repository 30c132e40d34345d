// Portkey 1.15.2 appends to the headers of fetch's answers, which Node 20 keeps read-only in streams: it would answer
// 500 to every stream. A writable copy lets it be measured.
const fetched = globalThis.fetch;
globalThis.fetch = async (...given) => {
  const answer = await fetched(...given);
  Object.defineProperty(answer, "headers", { value: new Headers(answer.headers) });
  return answer;
};
