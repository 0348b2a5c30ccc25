// The stack that tenancyd is compared with, as one would write it: express, pg, jose. Every request has its
// ES256 token verified; every transaction names its tenant with set_config, which the policies read. A turn
// keeps the question, asks the model, then keeps the answer and the usage; it checks no rate and no budget
// and writes no trace and no audit. Environment: PORT, WORKERS (processes), CONNECTIONS, DATABASE_URL,
// UPSTREAM, JWKS.
import cluster from 'node:cluster';
import express from 'express';
import { createLocalJWKSet, jwtVerify } from 'jose';
import pg from 'pg';

const { PORT, WORKERS = '1', CONNECTIONS, DATABASE_URL, UPSTREAM, JWKS } = process.env;

function serve() {
  const keys = createLocalJWKSet(JSON.parse(JWKS));
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: Math.ceil(Number(CONNECTIONS) / Number(WORKERS)) });
  const app = express();
  app.disable('x-powered-by');
  app.use(express.json({ limit: '4mb' }));

  app.use(async (request, response, next) => {
    try {
      const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
      const { payload } = await jwtVerify(token, keys, { issuer: 'https://dev.issuer.example', audience: 'agents' });
      request.tenant = payload.org_id;
      next();
    } catch {
      response.status(401).json({ detail: 'invalid token' });
    }
  });

  async function asTenant(tenant, work) {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await client.query("SELECT set_config('app.tenant', $1, true)", [tenant]);
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  }

  app.get('/v1/sessions/:id', async (request, response, next) => {
    try {
      const messages = await asTenant(request.tenant, async (client) => {
        const { rows } = await client.query('SELECT 1 FROM sessions WHERE id = $1', [request.params.id]);
        if (rows.length === 0) return undefined;
        return (await client.query('SELECT message FROM messages WHERE session_id = $1 ORDER BY id', [request.params.id])).rows;
      });
      if (!messages) return response.status(404).json({ detail: 'Session not found' });
      response.json({ session_id: request.params.id, messages: messages.map((row) => row.message) });
    } catch (error) {
      next(error);
    }
  });

  app.post('/v1/chat/completions', async (request, response, next) => {
    try {
      const { messages } = request.body;
      await asTenant(request.tenant, (client) =>
        client.query('INSERT INTO messages (message) SELECT * FROM jsonb_array_elements($1::jsonb)', [JSON.stringify(messages)]));
      const upstream = await fetch(`${UPSTREAM}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', messages }),
      });
      const answer = await upstream.json();
      const { prompt_tokens: input, completion_tokens: output } = answer.usage;
      await asTenant(request.tenant, async (client) => {
        await client.query('INSERT INTO messages (message) VALUES ($1)', [answer.choices[0].message]);
        await client.query('INSERT INTO usage (model, input_tokens, output_tokens) VALUES ($1, $2, $3)', [answer.model, input, output]);
      });
      response.json(answer);
    } catch (error) {
      next(error);
    }
  });

  app.listen(Number(PORT), '127.0.0.1');
}

if (cluster.isPrimary && Number(WORKERS) > 1) {
  for (let i = 0; i < Number(WORKERS); i++) cluster.fork();
  process.on('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers)) worker.kill();
    process.exit(0);
  });
} else {
  serve();
}
