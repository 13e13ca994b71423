// Breaks two import rules on purpose: e2e/check-imports.ts fails unless both are reported.
import { systemClock } from '@truenow/chassis/clock.ts'
import kafkajs from 'kafkajs'

export const canary = [systemClock, kafkajs]
