// The types of what the page gets. Their meaning stands in crosscheck/walk/schema.py and
// schema_of_ops.py, where they are declared; a test holds the two lists of fields together.

/** @typedef {number | "nan" | "inf" | "-inf"} Recorded a number as JSON can hold it */
/** @typedef {Recorded | null} Maybe null where there is none */

/** @typedef {{shape: number[], strides: number[], buffer: number}} Packed */
/**
 * @typedef {object} Compared
 * @property {string} name
 * @property {number[]} shape
 * @property {string[]} axes
 * @property {number | null} ours
 * @property {number | null} reference
 * @property {Maybe} norm
 * @property {Maybe} norm_reference
 * @property {Maybe} error
 * @property {Maybe} rounding
 * @property {Maybe} rounding_reference
 * @property {string} verdict
 * @property {string} said
 * @property {number[] | null} worst
 * @property {Maybe} worst_ours
 * @property {Maybe} worst_reference
 */
/** @typedef {{rule: Recorded, difference: Maybe, error: Maybe, agrees: boolean | null}} FiniteDifference */
/** @typedef {{argument: string, kind: string, source: string, value: Compared, gradient: Compared | null, finite_difference: FiniteDifference | null}} Input */
/** @typedef {{file: string, line: number, text: string}} Place */
/**
 * @typedef {object} Op
 * @property {string} id
 * @property {number} index
 * @property {string} op
 * @property {string} module
 * @property {string} block
 * @property {string} kind
 * @property {Record<string, string>} options
 * @property {Place | null} caller
 * @property {Input[]} inputs
 * @property {Compared} output
 * @property {Compared | null} dout
 * @property {string} verdict
 * @property {boolean} copies
 * @property {string} mark
 * @property {string} mark_text
 */
/** @typedef {{op: string, argument: string, norm: Maybe, norm_reference: Maybe}} Contribution */
/** @typedef {{kind: string, source: string, contributions: Contribution[], norm: Maybe, norm_reference: Maybe, verdict: string}} Join */
/** @typedef {{number: number, text: string, steps: number[], backward: boolean}} SourceLine */
/** @typedef {{op: string, summary: string, forward: string[], backward: string[], derivation: string, fact: string, source: string, mirrors: string, file: string, lines: SourceLine[]}} Rule */
/**
 * @typedef {object} Parameter
 * @property {string} name
 * @property {string} parameter
 * @property {[number, number] | null} rows
 * @property {number[]} shape
 * @property {string[]} axes
 * @property {number | null} value
 * @property {number | null} gradient
 * @property {number | null} gradient_reference
 * @property {Maybe} norm
 * @property {Maybe} norm_reference
 * @property {Maybe} error
 * @property {Maybe} rounding
 * @property {Maybe} rounding_reference
 * @property {string} verdict
 * @property {boolean} good
 * @property {string} reason
 * @property {number[] | null} worst
 * @property {Maybe} worst_ours
 * @property {Maybe} worst_reference
 */
/** @typedef {{op: string, kind: string, numbers: Record<string, unknown>, arrays: Record<string, number>}} Fact */
/**
 * @typedef {object} Attention
 * @property {string} module
 * @property {string} product
 * @property {string} masked
 * @property {string} softmax
 * @property {number} scale
 * @property {number} q
 * @property {number} k
 * @property {number} v
 * @property {number} scores
 * @property {number} probs
 * @property {number} context
 * @property {number} dcontext
 * @property {number} dprobs
 * @property {number} dscores
 * @property {number} dq
 * @property {number} dk
 * @property {number} dv
 */
/** @typedef {{name: string, leaves: string, joins: string, ops: string[], lanes: number[]}} Branch */
/** @typedef {{stream: string[], branches: Branch[]}} Spine */
/** @typedef {{module: string, ops: string[]}} Column */
/** @typedef {{tokens: string[], targets: string[], counts: boolean[], vocabulary: string[], ids: number[], target_ids: number[], losses: Recorded[], logits: number, probs: number, dlogits: number | null}} Text */
/** @typedef {{name: string, ours: Maybe, reference: Recorded, error: Maybe}} Loss */
/** @typedef {{title: string, engines: Record<string, string>, ours: string, reference: string, options: Record<string, unknown>, sizes: Record<string, number>, heads: number | null, parameters: number, seed: number, corpus: string}} Model */
/** @typedef {{agrees: boolean, disagrees: boolean, rows: number, failing: number, largest_error: Maybe, said: string, notes: string[]}} Outcome */
/** @typedef {{op: string, rule: string, argument: string, kind: string, what: string, hint: string, place: Place | null, worst: number[] | null, ours: Maybe, expected: Maybe, finite_difference: Maybe, words: string}} Finding */
/** @typedef {{id: string, findings: Finding[], inherited: string[], raised: string, answers: string[], what: string, patch: string}} Bug */
/** @typedef {{file: string, first: number, lines: string[], marks: Record<string, [string, string]>}} File */
/**
 * @typedef {object} Walk
 * @property {string} language
 * @property {string} kind
 * @property {Model} model
 * @property {Text | null} text
 * @property {Loss} loss
 * @property {Outcome} outcome
 * @property {Op[]} ops
 * @property {Join[]} joins
 * @property {Attention[]} attentions
 * @property {Parameter[]} parameters
 * @property {Fact[]} facts
 * @property {Record<string, Rule>} rules
 * @property {Spine | null} spine
 * @property {Column[]} columns
 * @property {Bug | null} bug
 * @property {File[]} files
 * @property {Packed[]} arrays
 * @property {string[]} buffers
 * @property {number} version
 */
