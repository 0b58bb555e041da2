import type { Log } from '../../src/log.ts'
import type { BackOffice, JobNews } from '../../src/store/jobs/back-office.ts'

export interface TellNewsDeps {
  readonly log: Log
  readonly office: BackOffice
  /** Hands a change of status on to webhooks; may be called again with the same one. */
  readonly publish: (tenant: string, news: JobNews) => Promise<void>
}

/** Empties a tenant's outbox of webhook messages. What could not be handed on stays and comes again. */
export async function tellNews({ log, office, publish }: TellNewsDeps, tenant: string): Promise<void> {
  for (;;) {
    const news = await office.news(tenant)
    if (news.length === 0) return
    const told: string[] = []
    for (const each of news) {
      try {
        await publish(tenant, each)
        told.push(each.member)
      } catch (error) {
        log.warn({ jobId: each.job, why: String(error) }, 'news of a job wait')
      }
    }
    await office.done(tenant, 'news', told)
    if (told.length < news.length) return
  }
}
