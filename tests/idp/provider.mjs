// A certified identity provider (npm oidc-provider) for the tests: node provider.mjs PORT REDIRECT_URI ACCOUNTS_FILE
// ACCOUNTS_FILE is JSON, {"subject": {claims}}, read anew at every sign-in. Its forms take any password.
import { readFileSync } from "node:fs";
import Provider from "oidc-provider";

const [port, redirectUri, accountsFile] = process.argv.slice(2);
const accounts = () => JSON.parse(readFileSync(accountsFile, "utf8"));

const provider = new Provider(`http://localhost:${port}`, {
  clients: [{ client_id: "atrium", client_secret: "made-up-client-secret-for-tests", redirect_uris: [redirectUri] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
  conformIdTokenClaims: true, // no groups in the id_token: they are at userinfo, as with many companies' providers
  pkce: { required: () => true },
  cookies: { keys: ["made-up-cookie-key-for-tests"] },
  findAccount: (_, subject) => {
    const claims = accounts()[subject];
    return claims && { accountId: subject, claims: () => ({ sub: subject, ...claims }) };
  },
  features: { devInteractions: { enabled: true } },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
