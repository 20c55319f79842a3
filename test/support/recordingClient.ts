/**
 * A user of the chain in a process of its own: keeps many transfers of several accounts pending, writes down everything
 * that the node publishes, and offers again what a restarted node has not mined. Talks to the test that forked it by IPC:
 * reports `ClientReport`, ends after `finish` once all it ever signed is mined.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Hex, type PrivateKeyAccount, keccak256, numberToHex, toHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

export interface ClientSettings {
  readonly rpcUrl: string;
  /** One JSON object per line is appended. */
  readonly recordPath: string;
  readonly chainId: number;
  readonly richKey: Hex;
  readonly accounts: number;
  /** Transactions that each account keeps unmined. */
  readonly openPerAccount: number;
}

export interface ClientReport {
  /** Taken by the node in its present life and not published as mined. */
  readonly pending: number;
  readonly published: number;
  /** Highest block the node named. */
  readonly head: number;
  readonly isDone: boolean;
}

/** What the client saw, in the order it saw it. Times in ms since 1970. */
export type ClientRecord =
  | { readonly kind: 'signed'; readonly at: number; readonly hash: Hex; readonly account: Hex; readonly nonce: number }
  | {
      readonly kind: 'receipt';
      readonly at: number;
      readonly hash: Hex;
      readonly block: number;
      readonly receipt: unknown;
    }
  | {
      readonly kind: 'block';
      readonly at: number;
      readonly number: number;
      readonly hash: Hex;
      readonly block: unknown;
    }
  /** `eth_blockNumber` moved. */
  | { readonly kind: 'head'; readonly at: number; readonly number: number }
  /** Another answer to a submission than a client expects. */
  | {
      readonly kind: 'refused';
      readonly at: number;
      readonly hash: Hex;
      readonly code: number;
      readonly message: string;
    };

interface Transfer {
  readonly raw: Hex;
  readonly hash: Hex;
  readonly nonce: number;
  /** The node that runs now has it. */
  isOffered: boolean;
  isMined: boolean;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

interface Call {
  readonly method: string;
  readonly params: readonly unknown[];
}

const TICK_MS = 25;
const REQUEST_LIMIT_MS = 5_000;
/** Receipts asked for per account and tick. */
const RECEIPTS_PER_TICK = 12;
const BLOCKS_PER_TICK = 20;
const OFFERS_PER_BATCH = 200;
const NONCE_TOO_LOW = 1;
const ALREADY_KNOWN = 1000;
const FUNDING_WEI = 10n ** 18n;
const GAS_PRICE_WEI = 100_000n;

/** Transfers of one account, by nonce. */
class Wallet {
  readonly #signer: PrivateKeyAccount;
  readonly #chainId: number;
  readonly transfers: Transfer[] = [];
  /** Nonces below are mined. */
  minedEnd = 0;

  constructor(key: Hex, chainId: number) {
    this.#signer = privateKeyToAccount(key);
    this.#chainId = chainId;
  }

  get address(): Hex {
    return this.#signer.address;
  }

  get open(): Transfer[] {
    return this.transfers.slice(this.minedEnd);
  }

  async sign(to: Hex, value: bigint): Promise<Transfer> {
    const nonce = this.transfers.length;
    const raw = await this.#signer.signTransaction({
      type: 'eip1559',
      chainId: this.#chainId,
      nonce,
      to,
      value,
      gas: 100_000n,
      maxFeePerGas: GAS_PRICE_WEI,
      maxPriorityFeePerGas: 0n,
    });
    const transfer: Transfer = { raw, hash: keccak256(raw), nonce, isOffered: false, isMined: false };
    this.transfers.push(transfer);
    return transfer;
  }
}

class RecordingClient {
  readonly #settings: ClientSettings;
  readonly #rich: Wallet;
  readonly #wallets: readonly Wallet[];
  #isFunded = false;
  #isFinishing = false;
  #published = 0;
  #head = 0;
  /** Next block to write down. */
  #nextBlock = 0;

  constructor(settings: ClientSettings) {
    const { richKey, accounts, chainId } = settings;
    this.#settings = settings;
    this.#rich = new Wallet(richKey, chainId);
    this.#wallets = Array.from(
      { length: accounts },
      (_, i) => new Wallet(keccak256(toHex(`recording client ${i}`)), chainId),
    );
  }

  finish(): void {
    this.#isFinishing = true;
  }

  get report(): ClientReport {
    const open = [this.#rich, ...this.#wallets].flatMap((wallet) => wallet.open);
    return {
      pending: open.filter(({ isOffered }) => isOffered).length,
      published: this.#published,
      head: this.#head,
      isDone: this.#isFinishing && this.#isFunded && open.length === 0,
    };
  }

  async run(report: (report: ClientReport) => void): Promise<void> {
    while (!(await this.#isRich())) await delay(TICK_MS);
    for (const wallet of this.#wallets)
      this.#recordSigned(this.#rich, await this.#rich.sign(wallet.address, FUNDING_WEI));
    for (;;) {
      await this.#signMore();
      try {
        await this.#look();
        await this.#offer();
      } catch {
        // The node is away; the one that comes back knows of nothing that was not mined.
        for (const wallet of [this.#rich, ...this.#wallets])
          for (const transfer of wallet.open) transfer.isOffered = false;
      }
      const now = this.report;
      report(now);
      if (now.isDone) return;
      await delay(TICK_MS);
    }
  }

  /** The deposit comes with the first block. */
  async #isRich(): Promise<boolean> {
    const [answer] = await this.#ask([{ method: 'eth_getBalance', params: [this.#rich.address, 'latest'] }]);
    return typeof answer?.result === 'string' && BigInt(answer.result) > 0n;
  }

  async #signMore(): Promise<void> {
    if (!this.#isFunded) this.#isFunded = this.#rich.open.length === 0;
    if (!this.#isFunded || this.#isFinishing) return;
    for (const wallet of this.#wallets) {
      while (wallet.open.length < this.#settings.openPerAccount)
        this.#recordSigned(wallet, await wallet.sign(this.#rich.address, 1n));
    }
  }

  /** Head, the next blocks and receipts, all in one request. */
  async #look(): Promise<void> {
    const watched = [this.#rich, ...this.#wallets].flatMap((wallet) =>
      wallet.open.slice(0, RECEIPTS_PER_TICK).map((transfer) => ({ wallet, transfer })),
    );
    const blocks = Array.from(
      { length: Math.min(BLOCKS_PER_TICK, this.#head + 1 - this.#nextBlock) },
      (_, i) => this.#nextBlock + i,
    );
    const [head, ...answers] = await this.#ask([
      { method: 'eth_blockNumber', params: [] },
      ...blocks.map((number) => ({ method: 'eth_getBlockByNumber', params: [numberToHex(number), false] })),
      ...watched.map(({ transfer }) => ({ method: 'eth_getTransactionReceipt', params: [transfer.hash] })),
    ]);
    if (typeof head?.result === 'string' && Number(head.result) > this.#head) {
      this.#head = Number(head.result);
      this.#record({ kind: 'head', at: Date.now(), number: this.#head });
    }
    for (const [i, number] of blocks.entries()) {
      const block = answers[i]?.result as { readonly hash: Hex } | null | undefined;
      if (block === null || block === undefined) break;
      this.#record({ kind: 'block', at: Date.now(), number, hash: block.hash, block });
      this.#nextBlock = number + 1;
    }
    for (const [i, { wallet, transfer }] of watched.entries()) {
      const receipt = answers[blocks.length + i]?.result as { readonly blockNumber: Hex } | null | undefined;
      if (receipt === null || receipt === undefined) continue;
      this.#record({
        kind: 'receipt',
        at: Date.now(),
        hash: transfer.hash,
        block: Number(receipt.blockNumber),
        receipt,
      });
      transfer.isMined = true;
      this.#published += 1;
      while (wallet.transfers[wallet.minedEnd]?.isMined === true) wallet.minedEnd += 1;
    }
  }

  async #offer(): Promise<void> {
    const wanted = [this.#rich, ...this.#wallets].flatMap((wallet) =>
      wallet.open.filter(({ isOffered, isMined }) => !isOffered && !isMined),
    );
    for (let from = 0; from < wanted.length; from += OFFERS_PER_BATCH) {
      const batch = wanted.slice(from, from + OFFERS_PER_BATCH);
      const answers = await this.#ask(batch.map(({ raw }) => ({ method: 'eth_sendRawTransaction', params: [raw] })));
      for (const [i, transfer] of batch.entries()) {
        const { result, error } = answers[i] ?? {};
        // Too low: it is in a block, whose receipt is on its way.
        if (result === transfer.hash || error?.code === ALREADY_KNOWN || error?.code === NONCE_TOO_LOW) {
          transfer.isOffered = true;
        } else if (error === undefined || !/try again later|still starting/.test(error.message)) {
          this.#record({
            kind: 'refused',
            at: Date.now(),
            hash: transfer.hash,
            code: error?.code ?? 0,
            message: error?.message ?? `answered ${String(result)}`,
          });
        }
      }
    }
  }

  async #ask(calls: readonly Call[]): Promise<Answer[]> {
    const response = await fetch(this.#settings.rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(calls.map((call, id) => ({ jsonrpc: '2.0', id, ...call }))),
      signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
    });
    const answers = (await response.json()) as Answer[];
    return answers.toSorted((a, b) => a.id - b.id);
  }

  #recordSigned(wallet: Wallet, { hash, nonce }: Transfer): void {
    this.#record({ kind: 'signed', at: Date.now(), hash, account: wallet.address, nonce });
  }

  #record(record: ClientRecord): void {
    appendFileSync(this.#settings.recordPath, `${JSON.stringify(record)}\n`);
  }
}

const [settings] = process.argv.slice(2);
if (settings === undefined || process.send === undefined)
  throw new Error('recordingClient is forked by a test, with its settings as JSON');
const client = new RecordingClient(JSON.parse(settings) as ClientSettings);
process.on('message', () => client.finish());
// The test is gone: nobody is left to record for.
process.once('disconnect', () => process.exit(1));
await client.run((report) => process.send?.(report));
process.exit(0);
