// OpenAI's client on Node's own fetch, a choice that the library offers. Its default, node-fetch 2, takes
// the end of every chunked answer for a "Premature close" on Debian's Node.js 18, whoever serves it.
import 'openai/shims/web';
import OpenAI from 'openai';

export { OpenAI };
