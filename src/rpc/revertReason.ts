/** What a reverted call says about itself (spec: rpc 6). */
import { decodeErrorResult, parseAbi, toFunctionSelector } from 'viem';
import type { Bytes } from '../common/bytes.ts';
import { toHex } from '../common/bytes.ts';
import { RPC_CODE, RpcError } from './errors.ts';

const ERROR_SELECTOR = '0x08c379a0';
const PANIC_SELECTOR = '0x4e487b71';
/** Longer texts are not worth decoding; clients have the data. */
const MAX_DECODED_BYTES = 64 * 1024;

const PANICS: ReadonlyMap<bigint, string> = new Map([
  [0x00n, 'generic panic'],
  [0x01n, 'assert(false)'],
  [0x11n, 'arithmetic underflow or overflow'],
  [0x12n, 'division or modulo by zero'],
  [0x21n, 'enum overflow'],
  [0x22n, 'invalid encoded storage byte array accessed'],
  [0x31n, 'out-of-bounds array access; popping on an empty array'],
  [0x32n, 'out-of-bounds access of an array or bytesN'],
  [0x41n, 'out of memory'],
  [0x51n, 'uninitialized function'],
]);

/** ERC-6093 and the ownership errors that go with it in most tokens. */
const STANDARD_ERRORS = parseAbi([
  'error ERC20InsufficientBalance(address sender, uint256 balance, uint256 needed)',
  'error ERC20InvalidSender(address sender)',
  'error ERC20InvalidReceiver(address receiver)',
  'error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)',
  'error ERC20InvalidApprover(address approver)',
  'error ERC20InvalidSpender(address spender)',
  'error ERC721InvalidOwner(address owner)',
  'error ERC721NonexistentToken(uint256 tokenId)',
  'error ERC721IncorrectOwner(address sender, uint256 tokenId, address owner)',
  'error ERC721InvalidSender(address sender)',
  'error ERC721InvalidReceiver(address receiver)',
  'error ERC721InsufficientApproval(address operator, uint256 tokenId)',
  'error ERC721InvalidApprover(address approver)',
  'error ERC721InvalidOperator(address operator)',
  'error OwnableUnauthorizedAccount(address account)',
  'error OwnableInvalidOwner(address owner)',
]);

const STANDARD_SELECTORS: ReadonlySet<string> = new Set(
  STANDARD_ERRORS.map((item) => toFunctionSelector(`${item.name}(${item.inputs.map(({ type }) => type).join(',')})`)),
);

const BUILT_IN_ERRORS = parseAbi(['error Error(string reason)', 'error Panic(uint256 code)']);

/** undefined: the output says nothing that is known. */
export function revertReason(output: Bytes): string | undefined {
  if (output.length < 4 || output.length > MAX_DECODED_BYTES) return undefined;
  const data = toHex(output);
  const selector = data.slice(0, 10);
  const isBuiltIn = selector === ERROR_SELECTOR || selector === PANIC_SELECTOR;
  if (!isBuiltIn && !STANDARD_SELECTORS.has(selector)) return undefined;
  try {
    if (!isBuiltIn) {
      const { errorName, args } = decodeErrorResult({ abi: STANDARD_ERRORS, data });
      return `${errorName}(${args.map(String).join(', ')})`;
    }
    const decoded = decodeErrorResult({ abi: BUILT_IN_ERRORS, data });
    if (decoded.errorName === 'Error') return decoded.args[0];
    return PANICS.get(decoded.args[0]) ?? `unknown panic code: ${`0x${decoded.args[0].toString(16)}`}`;
  } catch {
    // The contract chose the bytes: a selector need not be followed by what it promises.
    return undefined;
  }
}

/** Code 3; `data` is left out when the output is empty. */
export function revertError(output: Bytes): RpcError {
  const reason = revertReason(output);
  const message = reason === undefined || reason === '' ? 'execution reverted' : `execution reverted: ${reason}`;
  return new RpcError(RPC_CODE.reverted, message, output.length === 0 ? {} : { data: toHex(output) });
}
