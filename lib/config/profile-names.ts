/** The profiles that there are. docs/reference/profiles.md says what each sets, and why. */
export const PROFILE_NAMES = ['development', 'production', 'test', 'high-throughput', 'low-memory'] as const

export type ProfileName = (typeof PROFILE_NAMES)[number]
