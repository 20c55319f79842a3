/** Finds the numeric constants of a source file: literals, and expressions of literals alone such as `2 ** 35`. */
import ts from 'typescript';

export interface Constant {
  /** Declaration it stands in, numbered when there are several: `memoryGas#1`; of an opcode `ADD.gas`, `ADD.native`; of an option its name. */
  readonly id: string;
  readonly scope: string;
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly line: number;
  readonly isBigInt: boolean;
}

function isConstant(node: ts.Node): node is ts.Expression {
  if (ts.isNumericLiteral(node) || ts.isBigIntLiteral(node)) return true;
  if (ts.isParenthesizedExpression(node)) return isConstant(node.expression);
  return ts.isBinaryExpression(node) && isConstant(node.left) && isConstant(node.right);
}

/** Columns of the opcode table that are prices. */
const OPCODE_COLUMNS: Readonly<Record<number, string>> = { 2: 'gas', 3: 'native' };

function scopeOf(node: ts.Node): string {
  let name = '';
  for (let at = node; at.parent !== undefined; at = at.parent) {
    const { parent } = at;
    if (ts.isCallExpression(parent) && parent.expression.getText() === 'define') {
      const opcode = parent.arguments[1]?.getText().replaceAll(/['`]/g, '') ?? '';
      return `${opcode}.${OPCODE_COLUMNS[parent.arguments.indexOf(at as ts.Expression)] ?? 'shape'}`;
    }
    // Options of the configuration are the only keys with an underscore.
    if (ts.isPropertyAssignment(parent) && parent.name.getText().includes('_')) return parent.name.getText();
    if ((ts.isVariableDeclaration(parent) && ts.isIdentifier(parent.name)) || ts.isFunctionDeclaration(parent))
      name = parent.name?.getText() ?? name;
    else if ((ts.isMethodDeclaration(parent) || ts.isGetAccessor(parent)) && name === '') name = parent.name.getText();
  }
  return name;
}

/** All of them in order, but for those that only count loops and types. */
export function constantsOf(source: string, file: string): Constant[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.ESNext, true);
  const found: Omit<Constant, 'id'>[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isLiteralTypeNode(node)) return;
    if (isConstant(node)) {
      const start = node.getStart();
      found.push({
        scope: scopeOf(node),
        text: node.getText(),
        start,
        end: node.end,
        line: tree.getLineAndCharacterOfPosition(start).line + 1,
        isBigInt: /[\da-f]n\b/i.test(node.getText()),
      });
      return;
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  const seen = new Map<string, number>();
  return found.map((constant) => {
    const index = seen.get(constant.scope) ?? 0;
    seen.set(constant.scope, index + 1);
    const isAlone = found.filter(({ scope }) => scope === constant.scope).length === 1;
    return { ...constant, id: isAlone ? constant.scope : `${constant.scope}#${index}` };
  });
}

/** The source with one constant a unit larger or smaller. */
export function mutated(source: string, { start, end, text, isBigInt }: Constant, step: 1 | -1): string {
  const change = `((${text}) ${step === 1 ? '+' : '-'} 1${isBigInt ? 'n' : ''})`;
  return source.slice(0, start) + change + source.slice(end);
}
