// An OIDC provider for trying single sign-on: five people, any password. Never for production.
import { Provider } from 'oidc-provider';

const {
  ISSUER = 'http://idp.localhost:5556',
  PORT = '5556',
  CLIENT_ID = 'atrium',
  CLIENT_SECRET,
  REDIRECT_URI = 'http://localhost:8000/accounts/oidc/company/login/callback/',
} = process.env;

if (!CLIENT_SECRET) {
  console.error('CLIENT_SECRET is not set.');
  process.exit(1);
}

const PEOPLE = {
  employee: { name: 'Emil Employee', groups: ['search'] },
  lead: { name: 'Lena Lead', groups: ['search', 'search-leads'] },
  finance: { name: 'Fatima Finance', groups: ['atrium-finance'] },
  admin: { name: 'Ada Admin', groups: ['atrium-admins'] },
  auditor: { name: 'Aurel Auditor', groups: ['atrium-auditors'] },
};

const provider = new Provider(ISSUER, {
  clients: [
    {
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      redirect_uris: [REDIRECT_URI],
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
  ],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'groups'],
  },
  // Atrium reads the groups from the ID token or from userinfo; with this they stand in both.
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: true } },
  cookies: { keys: [CLIENT_SECRET] },
  async findAccount(_context, id) {
    const person = PEOPLE[id] ?? { name: id, groups: [] };
    return {
      accountId: id,
      async claims() {
        return { sub: id, email: `${id}@example.com`, email_verified: true, ...person };
      },
    };
  },
});

const server = provider.listen(Number(PORT), () => {
  console.log(`OIDC provider for trying single sign-on: ${ISSUER}; sign in as ${Object.keys(PEOPLE).join(', ')}, any password.`);
});

for (const name of ['SIGINT', 'SIGTERM']) {
  process.on(name, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
